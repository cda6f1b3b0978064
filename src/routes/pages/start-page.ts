import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Forms, jsonDocument, plainPage, sendForm } from './html-page.ts';

interface Way {
  readonly path: string;
  readonly description: string;
}

const ways: readonly Way[] = [
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

const commands = `printf 'hello, pool' | curl -T - http://HOST:PORT/v1/objects/greeting
curl http://HOST:PORT/v1/objects/greeting`;

const rows = ways.map(
  ({ path, description }) =>
    `<tr><td><a href="${path}"><code>${path}</code></a></td><td>${description}</td></tr>`,
);

const forms: Forms = {
  html: plainPage(
    'memcache-gateway',
    `<h1>memcache-gateway</h1>
<p>This server stores and returns objects of a distributed in-memory store over HTTP.</p>
<table>
<tr><th>Path</th><th>Content</th></tr>
${rows.join('\n')}
</table>
<p>Store an object and read it, with the address of this page:</p>
<pre><code>${commands}</code></pre>`,
  ),
  json: jsonDocument({
    name: 'memcache-gateway',
    links: ways.map(({ path, description }) => ({ href: path, description })),
  }),
};

/** GET /: where to go from here. */
export function getStartPage(req: IncomingMessage, res: ServerResponse): void {
  sendForm(req, res, forms);
}
