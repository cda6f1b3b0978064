// Divides a CPU profile into the parts of a server.

/** The parts in the order of the report. */
export const fixedParts = ['system calls', 'node:http, streams, timers', 'V8 and libuv', 'engine'];

const isOurs = (url) => /\/dist\/.+\.js$|bare-server\.mjs$/.test(url);
const folderOf = (url) => /\/dist\/([^/]+)\//.exec(url)?.[1] ?? 'handler';

/** Part of one node of the profile; undefined for time in which the process waits. */
function partOf({ functionName, url }, caller) {
  if (functionName === '(idle)') return undefined;
  if (url.startsWith('node:')) return 'node:http, streams, timers';
  if (isOurs(url)) return folderOf(url) === 'handler' ? 'handler' : `src/${folderOf(url)}`;
  if (functionName.startsWith('(') || url !== '') return 'V8 and libuv';
  if (caller !== undefined && /\/dist\/native\//.test(caller.url)) return 'engine';
  return caller?.url.startsWith('node:') ? 'system calls' : 'V8 and libuv';
}

/** The share of each part in the time that the process did not wait. */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((c) => [c, id])));
  const times = new Map();
  let total = 0;
  for (const [at, id] of samples.entries()) {
    const caller = byId.get(parents.get(id))?.callFrame;
    const part = partOf(byId.get(id).callFrame, caller);
    if (part === undefined) continue;
    times.set(part, (times.get(part) ?? 0) + timeDeltas[at]);
    total += timeDeltas[at];
  }
  return new Map([...times].map(([part, time]) => [part, time / total]));
}
