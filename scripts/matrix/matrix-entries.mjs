/** The entries of the test matrix: which tests run, in which surroundings, and for how long at most. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { longTests } from '../test/long-tests.mjs';
import { env as layout128 } from './matrix-layout128.mjs';
import { nodeVersions } from './node-versions.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

const smoke = ['test/matrix/smoke.test.ts'];
const integration = (pattern) =>
  fs
    .readdirSync(path.join(root, 'test', 'integration'), { recursive: true })
    .filter((name) => pattern.test(path.basename(name)) && name.endsWith('.test.ts'))
    .sort()
    .map((name) => `test/integration/${name}`);
// What the heap holds does not depend on the features of Node.
const http = integration(/^http-(?!heap)/);
const without = (features) => ({ GATEWAY_DISABLE_NODE_FEATURES: features });

/** The integration tests of each feature. */
const testsOfFeature = {
  'direct-read': integration(/^http-(fast-lane|uploads)/),
  'body-tap': integration(/^http-(batch-multipart|fast-lane|uploads)/),
  'one-write': integration(/^http-(fast-lane|keys|objects)/),
  'socket-descriptor': integration(/^http-(aborts|slow-readers)/),
  'write-queue': integration(/^http-slow-readers/),
  'half-open': integration(/^http-(connections|malformed)/),
  'connection-checks': integration(/^http-(aborts|connections|draining|malformed)/),
  'linger-close': integration(/^http-(connections|draining|last-requests|standby)/),
  'parser-removal': integration(/^http-(connections|last-requests|malformed|standby)/),
  'parser-pause': integration(/^http-(aborts|held-bodies|slow-clients)/),
  'bare-handles': integration(/^(listeners|pool-devices|unix-sockets)\./),
  'listener-descriptor': integration(/^(listeners|pool-devices|unix-sockets|new-connections)\./),
};

/**
 * `node` is the Node line of the gateway, `runner` that of the tests; both are the installed Node by
 * default. An entry of the kind `long` runs with --long, and a `separate` one only if it is named.
 */
export const entries = [
  ...Object.keys(nodeVersions).map((line) => ({
    name: `smoke-${line}`,
    node: line,
    files: smoke,
    minutes: 3,
  })),
  { name: 'http-documented', env: without('all'), files: http, minutes: 10 },
  ...Object.entries(testsOfFeature).map(([feature, files]) => ({
    name: `without-${feature}`,
    env: without(feature),
    files,
    minutes: 4,
  })),
  ...Object.entries(longTests).map(([name, files]) => ({
    ...{ name, files, minutes: 5 },
    kind: 'long',
  })),
  {
    name: 'browser',
    env: { DOCS_OPERATIONS: 'all' },
    files: ['browser'],
    minutes: 4,
    kind: 'long',
  },
  {
    name: 'typescript',
    // Two minutes of processor time, so a busy machine needs more than the limit of a file.
    files: ['--test-timeout=450000', 'test/matrix/typescript.test.ts'],
    minutes: 8,
  },
  {
    name: 'generators',
    files: ['--test-timeout=290000', 'test/matrix/generators.test.ts'],
    minutes: 5,
  },
  {
    name: 'newcomer',
    files: ['--test-timeout=410000', 'test/matrix/newcomer.test.ts'],
    minutes: 7,
  },
  {
    name: 'prometheus',
    files: ['test/matrix/prometheus.test.ts', 'test/matrix/prometheus-deploy.test.ts'],
    minutes: 5,
  },
  {
    name: 'fuzz',
    files: ['--test-timeout=230000', 'test/matrix/fuzz.test.ts'],
    minutes: 4,
  },
  {
    name: 'soak',
    files: ['--test-timeout=230000', 'test/matrix/soak.test.ts'],
    minutes: 4,
  },
  // How connections are served does not depend on the layout.
  {
    name: 'http-layout128',
    env: layout128,
    files: http.filter((file) => !file.includes('/connections/')),
    minutes: 10,
  },
  {
    name: 'node-26',
    node: '26',
    runner: '26',
    files: [
      ...['unit', 'engine', 'conformance', 'integration'],
      ...Object.values(longTests).flat(),
    ],
    minutes: 20,
    kind: 'separate',
  },
];
