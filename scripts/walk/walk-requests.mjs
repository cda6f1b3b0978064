/** The requests of `npm run walk`, and the counting of their calls. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startProgram } from '../../test/bench/processes.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
const KIB = 1024;
const MIB = 1024 * KIB;
/** Enough requests for the worker to load and compile everything that a request needs. */
const WARM_UP = 10;
/** The worker still works for a moment after a complete response; these calls are counted too. */
const SETTLE_MS = 50;
const POLL_MS = 5;
const DUMP_DEADLINE_MS = 10_000;

const asynchronous = {
  flags: ['--engine', path.join(root, 'build/native/libmcg_injecting.so')],
  env: { MMC_LOCAL_CONFIG_PATH: 'none' },
};
const embedded = { flags: ['--engine', 'embedded'], env: {} };
const batchKeys = Array.from({ length: 8 }, (_, at) => `walk/batch-${at}`);
const getOne = () => ({ method: 'GET', path: '/v1/objects/walk/one' });
const storeOne = [{ key: 'walk/one', bytes: KIB }];

/** The walks: engine, objects to store before, request, and aims. */
export const walks = {
  'get-sync': {
    title: 'GET 1 KiB, embedded engine (synchronous)',
    ...{ engine: embedded, stored: storeOne, make: getOne },
    aims: { functions: 70, files: 22 },
  },
  'get-async': {
    title: 'GET 1 KiB, asynchronous engine',
    ...{ engine: asynchronous, stored: storeOne, make: getOne },
    aims: { functions: 80, files: 24 },
  },
  'put-8m': {
    title: 'PUT 8 MiB, embedded engine',
    ...{ engine: embedded, stored: [] },
    make: (at) => ({
      ...{ method: 'PUT', path: `/v1/objects/walk/put-${at}` },
      body: Buffer.alloc(8 * MIB, 'x'),
    }),
    aims: { functions: 90, files: 28 },
  },
  'batch-get': {
    title: 'batch get of 8 x 1 KiB, safetensors, embedded engine',
    ...{ engine: embedded, stored: batchKeys.map((key) => ({ key, bytes: KIB })) },
    make: () => ({
      ...{ method: 'POST', path: '/v1/batch/get' },
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/vnd.safetensors',
      },
      body: Buffer.from(JSON.stringify({ keys: batchKeys })),
    }),
    aims: { functions: 130, files: 30 },
  },
};

/**
 * Starts a gateway and sends the request over one connection, first to warm up, then `times` times.
 * Resolves with the functions of dist that every request called, each with its fewest calls: heartbeats
 * and timers run during some requests only.
 */
export async function walk(name, times = 5) {
  const { engine, stored, make } = walks[name];
  const folder = mkdtempSync(path.join(tmpdir(), 'memcache-gateway-walk-'));
  const file = path.join(folder, 'calls');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const preload = pathToFileURL(path.join(root, 'scripts/walk/walk-coverage.mjs')).href;
  const env = { ...engine.env, NODE_OPTIONS: `--import=${preload}`, WALK_FILE: file };
  // The modules as they are written, not the bundle: their positions lead to functions of src.
  const gateway = await startProgram(path.join(root, 'dist/main.js'), ...engine.flags, env);
  try {
    const client = { agent, port: gateway.port };
    for (const { key, bytes } of stored) {
      await send(client, 'PUT', `/v1/objects/${key}`, { body: Buffer.alloc(bytes, 'x') });
    }
    let sent = 0;
    const sendNext = () => {
      const { method, path: target, ...rest } = make(sent++);
      return send(client, method, target, rest);
    };
    let dumps = 0;
    const dump = () => takeCalls(gateway.worker(), `${file}.${++dumps}`);
    for (let at = 0; at < WARM_UP; at++) await sendNext();
    const counted = [];
    for (let at = 0; at < times; at++) {
      await elapse(SETTLE_MS);
      await dump();
      await sendNext();
      await elapse(SETTLE_MS);
      counted.push(await dump());
    }
    return inAll(counted).map(withPlace);
  } finally {
    agent.destroy();
    await gateway.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Sends a request; rejects unless the response is `2xx`. */
function send({ agent, port }, method, target, { headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': body.length };
    const options = { agent, port, host: '127.0.0.1', method, path: target };
    const req = request({ ...options, headers: { ...headers, ...length } }, (res) => {
      res.on('end', () => {
        if (res.statusCode < 300) resolve();
        else reject(new Error(`${method} ${target} failed with status ${res.statusCode}`));
      });
      res.resume();
    });
    req.on('error', reject).end(body);
  });
}

/** The worker's counts since the last call. */
async function takeCalls(worker, file) {
  process.kill(worker, 'SIGUSR2');
  const from = performance.now();
  while (!existsSync(file)) {
    if (performance.now() - from > DUMP_DEADLINE_MS) {
      throw new Error(`worker ${worker} has not written its counts within 10 s`);
    }
    await elapse(POLL_MS);
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** The functions that are in all counts, each with its fewest calls. */
export function inAll([first = [], ...others]) {
  const idOf = ({ file, offset }) => `${file}:${offset}`;
  const maps = others.map((counts) => new Map(counts.map((each) => [idOf(each), each.calls])));
  return first
    .filter((each) => maps.every((map) => map.has(idOf(each))))
    .map((each) => ({
      ...each,
      calls: Math.min(each.calls, ...maps.map((map) => map.get(idOf(each)))),
    }));
}

const sourceMaps = new Map();

/** A function with its line in src. */
function withPlace({ file, offset, name, calls }) {
  const built = path.join(root, 'dist', file);
  let known = sourceMaps.get(built);
  if (known === undefined) {
    const map = new SourceMap(JSON.parse(readFileSync(`${built}.map`, 'utf8')));
    known = { map, text: readFileSync(built, 'utf8') };
    sourceMaps.set(built, known);
  }
  const before = known.text.slice(0, offset).split('\n');
  const { originalLine = 0 } = known.map.findEntry(before.length - 1, before.at(-1).length);
  const source = `src/${file.replace(/\.js$/, '.ts')}`;
  return { file: source, line: originalLine + 1, name: name || '(anonymous)', calls };
}
