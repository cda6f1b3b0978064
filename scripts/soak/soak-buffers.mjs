/**
 * Registers and removes a shared buffer many times, as many as clients do in a day, with a transfer in
 * between. Then no mapping and no descriptor of it may be left in any process of the gateway.
 *
 *   node scripts/soak/soak-buffers.mjs [registrations, default 100000]
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const registrations = Number(process.argv[2] ?? 100_000);
const bytes = 65_536;
/** The heap gets new mappings too, 84 in 100,000 registrations; a leak would be one for each of them. */
const HEAP_MAPPINGS = 500;
const say = (line) => process.stdout.write(`${line}\n`);

const folder = mkdtempSync(path.join(tmpdir(), 'soak-buffers-'));
const socketPath = path.join(folder, 'gateway.sock');
const name = `memcache-soak-${process.pid}`;
const descriptor = openSync(`/dev/shm/${name}`, 'wx+', 0o600);
ftruncateSync(descriptor, bytes);

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
function call(method, where, body) {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, agent, method, path: `/v1/buffers/${where}` }, (res) => {
      res.resume().on('end', () => resolve(res.statusCode));
    });
    req.on('error', reject);
    if (body !== undefined) req.setHeader('Content-Type', 'application/json');
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The workers of the gateway, the supervisor first. */
function processesOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

/** Mappings and descriptors of one process, and those of the memory. */
function countIn(pid) {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return {
    maps: maps.length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    ofMemory: maps.filter((line) => line.includes(name)).length,
    rssMiB: Math.round(
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    ),
  };
}

const flags = ['--listen', `unix:${socketPath}`, '--shared-buffers', 'on', '--log-format', 'json'];
const gateway = spawn(
  process.execPath,
  ['dist/program/main.js', ...flags, '--pool-bytes', '64MiB'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
for await (const line of createInterface({ input: gateway.stdout })) {
  if (line.includes(socketPath)) break;
}
gateway.stdout.resume();

let failed = 0;
let before;
const items = [{ key: 'soak', offset: 0, size: bytes }];
for (let n = 0; n < registrations; n++) {
  const codes = [
    await call('PUT', 's', { shmKey: `/${name}`, byteSize: bytes }),
    await call('POST', 's/put', { items, ifExists: 'replace' }),
    await call('DELETE', 's'),
  ];
  if (codes.join() !== '201,200,204') {
    failed += 1;
    say(`registration ${n}: ${codes.join()}`);
  }
  if (n === Math.min(1000, registrations >> 1)) before = processesOf(gateway.pid).map(countIn);
}
const after = processesOf(gateway.pid).map(countIn);
say(`after ${Math.min(1000, registrations >> 1)}: ${JSON.stringify(before)}`);
say(`after ${registrations}: ${JSON.stringify(after)}`);
const hasLeaked = after.some(
  ({ maps, descriptors, ofMemory }, n) =>
    ofMemory > 0 || descriptors > before[n].descriptors || maps > before[n].maps + HEAP_MAPPINGS,
);
agent.destroy();
gateway.kill('SIGTERM');
closeSync(descriptor);
for (const each of [folder, `/dev/shm/${name}`]) rmSync(each, { recursive: true, force: true });
say(hasLeaked ? 'LEAKED' : `nothing is left, ${failed} registrations failed`);
process.exitCode = hasLeaked || failed > 0 ? 1 : 0;
