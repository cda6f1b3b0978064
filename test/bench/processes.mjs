// Starts and stops the measured processes: bare servers and gateways, each on a free port.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Starts a bare server, with the given arguments and variables; resolves with its port once it listens. */
export async function startBare(...given) {
  const args = given.filter((word) => typeof word !== 'object').map(String);
  const variables = given.filter((word) => typeof word === 'object');
  const child = spawn(process.execPath, [here('bare-server.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: Object.assign({}, process.env, ...variables),
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  return { port: Number(line), pid: child.pid, stop: () => stop(child) };
}

/** The working tree. */
const tree = here('../..');

/** Starts the gateway of the working tree, as `startGatewayOf`. */
export const startGateway = (...given) => startGatewayOf(tree, ...given);

/** Starts the gateway that is built in a folder, as `startProgram`. */
export function startGatewayOf(root, ...given) {
  const program = join(root, 'dist/program/main.js');
  // Older commits have no bundle.
  return startProgram(existsSync(program) ? program : join(root, 'dist/main.js'), ...given);
}

/**
 * Starts the gateway whose entry is `file`, with the given flags and variables. Resolves when it is ready,
 * with the time since its start.
 */
export async function startProgram(file, ...given) {
  const startedMs = performance.now();
  const flags = given.filter((word) => typeof word === 'string');
  const env = Object.assign(withoutSettings(), ...given.filter((word) => typeof word === 'object'));
  const port = flags.includes('--listen') ? [] : ['--port', '0'];
  const child = spawn(process.execPath, [file, ...port, '--log-format', 'json', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  const lines = createInterface(child.stdout);
  for await (const line of lines) {
    const entry = JSON.parse(line);
    if (typeof entry.address !== 'string') continue;
    child.stdout.resume();
    return {
      port: Number(new URL(entry.address).port),
      readyMs: performance.now() - startedMs,
      worker: () => workersOf(child.pid)[0],
      workers: () => workersOf(child.pid),
      stop: () => stop(child),
    };
  }
  throw new Error('the gateway ended before it was ready');
}

/**
 * An engine as slow as the distributed one (docs/engine-facts.md §9): each call takes 80 µs in parallel
 * with others, then 40 µs and 2 µs for each key, one call after another.
 */
export function slowEngine(root = tree) {
  return {
    flags: ['--engine', join(root, 'build/native/libmcg_injecting.so'), '--call-slots', '8'],
    env: {
      MMC_INJECT: dataCalls
        .map((name) => `${name} delay_outside_us=80 delay_inside_us=40 per_key_us=2`)
        .join(';'),
      MMC_LOCAL_CONFIG_PATH: 'none',
    },
  };
}

const dataCalls = ['put', 'get', 'query', 'exist', 'remove'].flatMap((name) => [
  name,
  `batch_${name}`,
]);

/** A developer's own GATEWAY_ variables must not change the measurement. */
const withoutSettings = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GATEWAY_')));

async function stop(child) {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Pids of a supervisor's workers, from the kernel. */
function workersOf(supervisor) {
  const text = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8');
  const pids = text.split(' ').filter(Boolean).map(Number);
  if (pids.length === 0) throw new Error(`process ${supervisor} has no worker`);
  return pids;
}

/** Anonymous memory of a process in bytes (RssAnon of /proc/PID/status). */
export function anonymousBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
}

/** CPU time a process has used so far, in milliseconds. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * 10;
}
