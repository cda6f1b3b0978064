/** Which test files share a process, which run side by side, and in which order. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
const groups = path.join(root, 'node_modules', '.cache', 'test-groups');

/**
 * Folders of test/unit whose files are small, start no process and change none: the start of a process
 * and the modules that all of them load cost more than their tests.
 */
const shared = [
  ...['cli/meta', 'client', 'codecs/json', 'codecs/multipart', 'codecs/safetensors', 'collections'],
  ...['config', 'engine-config', 'errors', 'http', 'log', 'messages', 'metrics', 'native/abi'],
  ...['native/arena', 'native/calls', 'os', 'routes', 'scheduler', 'scripts', 'store'],
  ...['supervisor/dispatch', 'supervisor/listeners', 'supervisor/processes', 'worker'],
];

/**
 * Integration tests that share a process, by the name of their group. Most of them also share gateways
 * (test/helpers/process/shared-gateway.ts); the others have small tests and a gateway of their own.
 */
const sharedIntegration = {
  'http-small': [
    ...['connections/http-last-requests', 'connections/http-connections'],
    ...['connections/http-malformed', 'connections/http-cross-site'],
    ...['connections/http-expect-bodiless', 'objects/http-objects', 'objects/http-uploads'],
    ...['objects/http-keys', 'objects/http-operations', 'batch/http-content-digest'],
    'client/client',
  ],
  'http-layers': [
    ...['layers/http-layers-aborts', 'layers/http-layers-put', 'layers/http-layers-get'],
    ...['batch/http-batch-layers', 'client/client-layers'],
  ],
  'http-batches': [
    ...['batch/http-batch-safetensors', 'batch/http-batch-aborts', 'batch/http-batch-multipart'],
    ...['batch/http-batch-json', 'client/client-batch'],
  ],
  'http-aborts': [
    ...['connections/http-aborts', 'connections/http-aborts-unread', 'connections/http-draining'],
    ...['connections/http-slow-readers', 'objects/http-slow-reads'],
  ],
  'http-others': [
    ...['batch/http-batch-slots', 'batch/http-batch-replace'],
    ...['client/client-faults', 'objects/http-stale-reads', 'objects/http-largest-object'],
  ],
};

/** A hook at the top level of a file would be one of all files in its process. */
const ownHook = /^(before|after)(Each)?\(/m;

/**
 * Puts one file, which it writes into `folder`, in the place of those that share a process. It imports
 * them under the names of `importOf`.
 */
export function groupFiles(files, importOf = (file) => file, folder = groups) {
  const grouped = new Map();
  const alone = [];
  for (const file of files) {
    const group = groupOf(path.relative(path.join(root, 'test'), file));
    if (group === undefined || ownHook.test(fs.readFileSync(file, 'utf8'))) alone.push(file);
    else grouped.set(group, [...(grouped.get(group) ?? []), file]);
  }
  return [
    ...alone,
    ...[...grouped].map(([group, members]) => writeGroup(folder, group, members.map(importOf))),
  ];
}

/** Returns the group of a file, whose name is relative to test/; undefined if it has its own process. */
function groupOf(name) {
  const folder = shared.find((each) => name.startsWith(`unit/${each}/`));
  if (folder !== undefined) return folder;
  const found = Object.entries(sharedIntegration).find(([, names]) =>
    names.some((each) => name === `integration/${each}.test.ts`),
  );
  return found?.[0];
}

function groupFile(group, folder = groups) {
  return path.join(folder, `${group.replaceAll('/', '-')}.test.mjs`);
}

function writeGroup(folder, group, files) {
  const file = groupFile(group, folder);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, files.map((each) => `import ${JSON.stringify(each)};\n`).join(''));
  return file;
}

const pathsOf = (names) => names.map((name) => path.join(root, 'test', `${name}.test.ts`));

/** Files that mostly wait, for timeouts or for processes to start and end; the longest first. */
const waiting = [
  ...['http-aborts', 'http-others'].map((group) => groupFile(group)),
  ...pathsOf([
    ...['unit/supervisor/supervisor', 'engine/engine', 'integration/pool/pool-stopped-lock'],
    ...['integration/pool/pool-destroyed', 'integration/pool/pool-heartbeat'],
    ...['integration/program/lifecycle-engine', 'unit/scheduler/engine-faults'],
    ...['integration/objects/http-engine-faults', 'integration/connections/unix-sockets'],
    ...['integration/pool/pool-end', 'integration/pool/pool-stuck'],
    ...['integration/batch/http-batch-faults', 'unit/supervisor/fallback-server'],
    ...['integration/pool/cluster-meta', 'integration/pool/keys-meta'],
    ...['integration/security/token-reload', 'integration/security/cors'],
    ...['integration/connections/http-slow-clients', 'integration/connections/http-clients-gone'],
    ...['unit/native/start/engine-process', 'integration/program/lifecycle'],
    ...['integration/program/lifecycle-stuck', 'unit/node-store/open-store-faults'],
    ...['unit/node-store/store-faults', 'integration/objects/http-coalescing'],
    ...['integration/connections/listeners', 'integration/program/reload'],
    ...['integration/program/meta', 'integration/security/beyond-loopback'],
    ...['integration/security/tokens', 'integration/connections/http-held-bodies'],
    ...['conformance/half-written', 'integration/buffers/registration'],
    'integration/program/few-descriptors',
  ]),
  ...['native-arena', 'scheduler'].map((group) => groupFile(group)),
];

/** Files that keep a processor busy for the longest, in that order; the others follow. */
const longest = [
  ...['http-small', 'http-batches', 'http-layers'].map((group) => groupFile(group)),
  ...pathsOf([
    ...['browser/browser', 'integration/connections/http-heap', 'integration/pool/model'],
    ...['integration/program/package', 'unit/codecs/time-slices'],
    ...['integration/lanes/http-fast-lane', 'integration/objects/http-cache'],
    ...['unit/helpers/injecting', 'integration/pool/pool-devices-kill'],
  ]),
];

/**
 * Two lanes, with six files at a time in both: with more, the tests would measure the machine instead of
 * the code, because each starts gateways, engines or browsers of its own.
 */
export function lanesOf(files) {
  const inOrder = (list, members) => [
    ...list.filter((file) => members.includes(file)),
    ...members.filter((file) => !list.includes(file)),
  ];
  const waits = files.filter((file) => waiting.includes(file));
  const computes = files.filter((file) => !waiting.includes(file));
  return [
    { files: inOrder(waiting, waits), concurrency: 3 },
    { files: inOrder(longest, computes), concurrency: 3 },
  ].filter((lane) => lane.files.length > 0);
}
