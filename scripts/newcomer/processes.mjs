/** The processes that a newcomer starts: commands that end, and a gateway. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as elapse } from 'node:timers/promises';

/** Includes the compilation of the sources, on a busy machine. */
const COMMAND_MS = 240_000;
/** Also includes `npm ci`. */
const START_MS = 300_000;
const STOP_MS = 30_000;
const POLL_MS = 50;

const running = new Set();

/** Ends all processes that still run. */
export function killAll() {
  for (const { pid } of running) killTree(pid);
}

/** Not a process group: whoever kills the group of this process must also end its gateways. */
function killTree(pid) {
  const children = childrenOf(pid);
  signal(pid, 'SIGKILL');
  children.forEach(killTree);
}

function childrenOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // The process has ended.
  }
}

function start(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  let stdout = '';
  let all = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      if (stream === child.stdout) stdout += text;
      all += text;
    });
  }
  const ended = Promise.race([once(child, 'close'), once(child, 'error')]).then(([code]) => {
    running.delete(child);
    if (code instanceof Error) all += code.message;
    return code;
  });
  // A command may end before it has read its input.
  child.stdin.on('error', () => undefined);
  return { child, ended, stdout: () => stdout, all: () => all };
}

/** Runs a command with a text as its input; resolves with its output, rejects if it fails. */
export async function run([command, ...args], { input = '', ...options }) {
  const { child, ended, stdout, all } = start(command, args, options);
  child.stdin.end(input);
  const timer = setTimeout(() => killTree(child.pid), COMMAND_MS);
  const code = await ended;
  clearTimeout(timer);
  if (code === 0) return stdout();
  const how = code === null ? `was killed after ${COMMAND_MS / 1000} s` : `ended with ${code}`;
  throw new Error(`${command} ${how}:\n${all().slice(-4000)}`);
}

/**
 * Starts a gateway with a command of the shell and waits until it is ready. Resolves with its port and
 * `stop`.
 */
export async function startGateway(command, { env, ...options }) {
  const { child, ended, stdout, all } = start('sh', ['-c', command], {
    ...options,
    env: { ...withoutSettings(), ...env },
  });
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  for (const endMs = Date.now() + START_MS; ; await elapse(POLL_MS)) {
    const ready = readyLine(stdout());
    if (ready !== undefined) return { port: ready.port, stop: () => stop(ready.pid) };
    if (hasEnded || Date.now() > endMs) {
      await stop(child.pid);
      throw new Error(`"${command}" started no gateway:\n${all().slice(-4000)}`);
    }
  }

  async function stop(pid) {
    signal(pid, 'SIGTERM');
    const timer = setTimeout(() => killTree(child.pid), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}

/** The environment of a newcomer, who has not configured the gateway. */
const withoutSettings = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GATEWAY_')));

function readyLine(text) {
  const line = text.split('\n').find((each) => each.startsWith('{') && each.endsWith('"ready"}'));
  return line === undefined ? undefined : JSON.parse(line);
}

/** An environment in which curl fails on an error response, as if called with -f. */
export function strictCurl(folder) {
  const home = path.join(folder, 'curl');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(path.join(home, '.curlrc'), 'fail\n');
  return { CURL_HOME: home };
}
