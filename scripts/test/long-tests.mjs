/**
 * The tests that `npm test` leaves to `npm run test:long`, by the name of their entry: they need most of
 * the processor time of all tests and concern few changes. A test that is named runs in any case.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = path.resolve(fileURLToPath(import.meta.url), '../../../test');

const namesOfEntry = {
  /** Workers, owners of memory and meta services that are killed, stopped or stuck, in many combinations. */
  processes: [
    ...[
      'integration/pool/model',
      'integration/pool/overload-log',
      'integration/pool/pool-destroyed',
    ],
    ...[
      'integration/pool/pool-end',
      'integration/pool/pool-heartbeat',
      'integration/pool/pool-stuck',
    ],
    ...['integration/pool/pool-stopped-lock', 'integration/program/lifecycle-engine'],
    ...['integration/program/lifecycle-stuck', 'integration/connections/new-connections'],
    ...['integration/program/lifecycle', 'integration/connections/http-slow-clients'],
    ...['integration/program/metrics-move', 'integration/program/tracing'],
    ...['integration/program/log-level', 'unit/native/start/engine-process'],
    ...['integration/clients/http-client-limits', 'unit/supervisor/supervisor'],
    ...['integration/buffers/transfers', 'integration/security/tls'],
    ...['integration/program/reload', 'integration/program/few-descriptors'],
    ...['integration/connections/listeners', 'integration/buffers/registration'],
  ],
  /** What a gateway takes from its settings, files and meta service at start and later. */
  settings: [
    ...['integration/program/meta', 'integration/pool/keys-meta', 'integration/security/cors'],
    ...['integration/security/token-reload', 'integration/security/beyond-loopback'],
    ...['unit/cli/command-line', 'unit/native/start/info-layout', 'unit/native/start/reserve'],
    'unit/node-internals/direct-read',
  ],
  /** Processor time and memory for each byte, item and request. */
  costs: [
    ...['integration/connections/http-heap', 'integration/connections/http-survivors'],
    ...['integration/security/tls-slow-readers'],
    ...['unit/codecs/item-cost', 'unit/codecs/time-slices'],
  ],
  /** The packed packages, installed elsewhere. */
  packages: ['integration/program/client-package', 'integration/program/package'],
  /** The scripts and helpers of the tests, and the guides in other languages. */
  tools: [
    ...['unit/generate', 'unit/undocumented-node', 'unit/helpers/conformance'],
    ...['integration/program/guides', 'unit/deploy/kubernetes', 'unit/deploy/kubernetes-tls'],
    ...['unit/helpers/injecting', 'unit/scripts/bench-commit-tree', 'unit/scripts/build-engine'],
    ...['unit/scripts/load-typescript', 'unit/scripts/node-versions', 'unit/scripts/test-runner'],
    ...['unit/scripts/typescript-tree', 'unit/scripts/typescript-versions'],
  ],
};

/** The files of each entry, relative to the root of the repository. */
export const longTests = Object.fromEntries(
  Object.entries(namesOfEntry).map(([entry, names]) => [
    entry,
    names.map((name) => path.join('test', `${name}.test.ts`)),
  ]),
);

const all = new Set(Object.values(namesOfEntry).flat());

/** Whether `npm test` leaves this file to `npm run test:long`. */
export const isLong = (file) => all.has(path.relative(tests, file).replace(/\.test\.ts$/, ''));

/** The names that belong to no file. */
export const missingTests = () =>
  Object.values(longTests)
    .flat()
    .filter((name) => !fs.existsSync(path.join(path.dirname(tests), name)));
