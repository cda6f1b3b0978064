/**
 * Kills random workers of a gateway under load and looks for damage: a wrong byte, a hung request, shared
 * memory that is left, a zombie, a supervisor that grows.
 *
 *   npm run soak:kills -- [--kills 100] [--seconds 60] [--callers 8] [flags of the gateway]
 *
 * Prints its figures. Exits with 1 after any fault, and with 2 for an invalid number.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createFigures, fetchFrom, runCaller } from './soak/soak-load.mjs';

const main = fileURLToPath(new URL('../dist/program/main.js', import.meta.url));
const growthLimitBytes = 10 * 2 ** 20;
const warmUpMs = 5000;
const drainMs = 30_000;

/** Prints a message and exits; the gateway ends too. */
function fail(message, code) {
  process.stderr.write(`soak-kills: ${message}\n`);
  process.exit(code);
}

const own = { kills: 100, seconds: 60, callers: 8 };
const flags = [];
const words = process.argv.slice(2);
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  const [, name, attached] = /^--(\w+)(?:=(.*))?$/.exec(word) ?? [];
  if (name === undefined || !Object.hasOwn(own, name)) {
    flags.push(word);
    continue;
  }
  const text = attached ?? words.shift() ?? '';
  if (!/^[1-9]\d{0,8}$/.test(text)) fail(`--${name}: "${text}" is no whole number from 1`, 2);
  own[name] = Number(text);
}

const statusOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
};
const stateOf = (pid) => /^State:\s+(\w)/m.exec(statusOf(pid))?.[1];
const residentBytes = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(statusOf(pid))?.[1] ?? 0) * 1024;
const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
const livingWorkers = (pid) => childrenOf(pid).filter((child) => stateOf(child) !== 'Z');

const gateway = spawn(
  process.execPath,
  [main, '--port', '0', '--log-format', 'json', '--log-level', 'silent', ...flags],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { GATEWAY_POOL_BYTES: '256MiB', GATEWAY_ARENA_BYTES: '128MiB', ...process.env },
  },
);
process.once('exit', () => gateway.kill('SIGKILL'));
const ended = once(gateway, 'exit');

async function address() {
  for await (const line of createInterface(gateway.stdout)) {
    const entry = JSON.parse(line);
    if (entry.msg !== 'ready') continue;
    gateway.stdout.resume();
    return entry.address;
  }
  throw new Error('the gateway ended before it was ready');
}

/** The pool of all workers: no other gateway's file in /dev/shm begins with this name. */
function poolOf(worker) {
  const prefix = 'MMC_EMBEDDED_POOL=';
  try {
    const environment = readFileSync(`/proc/${worker}/environ`, 'utf8').split('\0');
    return environment.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? '';
  } catch {
    return '';
  }
}

const seen = new Set();

/** Spread over the time with some randomness; a kill that finds no worker waits for the next one. */
async function killWorkers(endMs) {
  let kills = 0;
  const everyMs = (own.seconds * 1000) / own.kills;
  let nextMs = performance.now() + everyMs * Math.random();
  while (kills < own.kills && performance.now() < endMs) {
    await elapse(Math.max(1, Math.min(nextMs, endMs) - performance.now()));
    // A killed worker may still exist for a moment; killing it again must not count.
    const workers = livingWorkers(gateway.pid).filter((pid) => !seen.has(pid));
    const worker = workers[Math.floor(Math.random() * workers.length)];
    if (worker === undefined) continue;
    seen.add(worker);
    process.kill(worker, 'SIGKILL');
    kills += 1;
    nextMs += everyMs;
  }
  return kills;
}

const url = await address();
const pool = poolOf(livingWorkers(gateway.pid)[0]);
if (pool === '') fail('the pool has no name here, so what is left of it could not be told', 1);
const figures = createFigures();
const { faults } = figures;
const stopping = new AbortController();
const callers = Array.from({ length: own.callers }, (_, index) =>
  runCaller(String(index), fetchFrom(url), stopping.signal, figures),
);
// Code is compiled and buffers grow once; that is no leak.
await elapse(warmUpMs);
const residentBefore = residentBytes(gateway.pid);
const kills = await killWorkers(performance.now() + own.seconds * 1000);
stopping.abort();
await Promise.all(callers);
if (kills < own.kills) {
  faults.push(
    `only ${kills} of ${own.kills} kills found a worker: each death doubles the wait for the next one, so more --devices are needed`,
  );
}

const settled = performance.now() + 5000;
let residentAfter = Number.POSITIVE_INFINITY;
while (performance.now() < settled) {
  residentAfter = Math.min(residentAfter, residentBytes(gateway.pid));
  await elapse(100);
}
const grownBytes = residentAfter - residentBefore;
if (grownBytes > growthLimitBytes) faults.push(`the supervisor grew by ${grownBytes} bytes`);
const zombies = [...seen, ...childrenOf(gateway.pid)].filter((pid) => stateOf(pid) === 'Z');
if (zombies.length > 0) faults.push(`zombies: ${zombies.join(', ')}`);

const last = childrenOf(gateway.pid);
gateway.kill('SIGTERM');
const drained = await Promise.race([ended, elapse(drainMs, undefined, { ref: false })]);
if (drained?.[0] !== 0) faults.push(`the stop ended with ${drained ?? 'nothing'} instead of 0`);
const left = [...seen, ...last].filter((pid) => poolOf(pid) === pool);
if (left.length > 0) faults.push(`processes that are left: ${left.join(', ')}`);
const leaked = readdirSync('/dev/shm').filter((name) => name.startsWith(pool));
if (leaked.length > 0) faults.push(`left in /dev/shm: ${leaked.join(', ')}`);

const { requests, checkedBytes, cutOff, refused, missing } = figures;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
process.stdout.write(
  `${[
    `kills              ${kills} in ${own.seconds} s, of ${seen.size} workers`,
    `requests           ${requests}, of which ${cutOff} cut off, ${refused} answered 5xx, ${missing} misses`,
    `bytes checked      ${mebibytes(checkedBytes)}`,
    `supervisor         ${mebibytes(residentBefore)} before, ${mebibytes(residentAfter)} after`,
    `breaches           ${faults.length === 0 ? 'none' : faults.length}`,
    ...faults.slice(0, 20).map((fault) => `  - ${fault}`),
  ].join('\n')}\n`,
);
process.exit(faults.length === 0 ? 0 : 1);
