interface Link {
  readonly path: string;
  readonly description: string;
}

/** The pages and operations that the start page names. */
export const links: readonly Link[] = [
  { path: '/docs', description: 'Every operation, to read and to try out in the browser.' },
  {
    path: '/openapi.yaml',
    description: 'The same description for programs; also as /openapi.json.',
  },
  { path: '/problems', description: 'Every error of the gateway, and how to solve it.' },
  {
    path: '/readyz?verbose',
    description: 'Whether the gateway can serve objects, and its workers.',
  },
  { path: '/v1/clients', description: 'The engine client of each device.' },
  { path: '/metrics', description: 'Metrics for Prometheus.' },
];
