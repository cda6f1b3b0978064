// The benchmark of shared buffers, on one connection to a Unix socket, compared with HTTP bodies and the engine's C API.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK, perSecond, throughput } from '../measure.mjs';
import { startGateway } from '../processes.mjs';

const REGION = 4 * BLOCK;
const SMALL = 1024;
const MANY = 1000;

/** The medians of engine-bench: calls in C on one thread, in operations per second. */
function engineRates() {
  execFileSync(process.execPath, ['scripts/build-engine.mjs', '--bench']);
  // It exits with 1 when it misses a target of its own.
  const text = spawnSync(join('build', 'native', 'engine-bench'), { encoding: 'utf8' }).stdout;
  const rateOf = (name) => {
    const found = new RegExp(`^${name} +([\\d.]+) us`, 'm').exec(text);
    if (found === null) throw new Error(`engine-bench did not print ${name}:\n${text}`);
    return 1e6 / Number(found[1]);
  };
  return { put: rateOf('put of 8.57 MB, second use'), get: rateOf('get of 8.57 MB') };
}

/** Requests on one connection, one after another. */
function connectionTo(socketPath) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const call = (method, path, body, type = 'application/json') =>
    new Promise((resolve, reject) => {
      const bytes = body === undefined || body instanceof Buffer ? body : JSON.stringify(body);
      const req = request({ socketPath, agent, method, path }, (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('end', () => {
          if (res.statusCode < 300) resolve(Buffer.concat(chunks));
          else reject(new Error(`${method} ${path}: ${res.statusCode} ${Buffer.concat(chunks)}`));
        });
      });
      req.on('error', reject);
      if (bytes !== undefined) {
        req.setHeader('Content-Type', type);
        req.setHeader('Content-Length', Buffer.byteLength(bytes));
      }
      req.end(bytes);
    });
  return { call, end: () => agent.destroy() };
}

/** 122 layers of a block, `gap` bytes apart. */
function layersOf(gap) {
  const sizes = [...Array(61).fill(131_072), ...Array(61).fill(16_384)];
  let offset = 0;
  return sizes.map((size) => {
    const layer = { offset, size };
    offset += size + gap;
    return layer;
  });
}

/** A safetensors file of `MANY` values. */
function tensors() {
  const header = {};
  for (let n = 0; n < MANY; n++) {
    header[`t-${n}`] = { dtype: 'U8', shape: [SMALL], data_offsets: [n * SMALL, (n + 1) * SMALL] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(MANY * SMALL, 1)]);
}

/** Each operation may be repeated: it replaces what it has stored. */
function operationsOf(call, body) {
  const put = (items) => call('POST', '/v1/buffers/b/put', { items, ifExists: 'replace' });
  const get = (items) => call('POST', '/v1/buffers/b/get', { items });
  const whole = [{ key: 'block', offset: 0, size: BLOCK }];
  const many = Array.from({ length: MANY }, (_, n) => ({
    key: `m-${n}`,
    offset: n * SMALL,
    size: SMALL,
  }));
  const file = tensors();
  const adjacent = layersOf(0);
  const scattered = layersOf(4096);
  return {
    put: () => put(whole),
    get: () => get(whole),
    adjacent: () => put([{ key: 'layers', layers: adjacent }]),
    scattered: () => put([{ key: 'layers', layers: scattered }]),
    many: () => put(many),
    httpPut: () =>
      call('PUT', '/v1/objects/body?ifExists=replace', body, 'application/octet-stream'),
    httpGet: () => call('GET', '/v1/objects/body'),
    tensors: () =>
      call('POST', '/v1/batch/put?ifExists=replace', file, 'application/vnd.safetensors'),
  };
}

async function rateOf(operation, seconds) {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < seconds * 1000) {
    await operation();
    count += 1;
  }
  return (count * 1000) / (performance.now() - start);
}

export const bufferTargets = {
  async 'shared-buffers'({ rounds, seconds, reportRatio }) {
    const engine = engineRates();
    const folder = mkdtempSync(join(tmpdir(), 'bench-buffers-'));
    const socket = join(folder, 'gateway.sock');
    const name = `memcache-bench-${process.pid}`;
    const descriptor = openSync(`/dev/shm/${name}`, 'wx+', 0o600);
    ftruncateSync(descriptor, REGION);
    for (let n = 0; n < 4; n++) writeSync(descriptor, Buffer.alloc(BLOCK, n), 0, BLOCK, n * BLOCK);
    const listen = ['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'];
    const gateway = await startGateway(...listen, '--shared-buffers', 'on');
    const { call, end } = connectionTo(socket);
    try {
      await call('PUT', '/v1/buffers/b', { shmKey: `/${name}`, byteSize: REGION });
      const operations = operationsOf(call, Buffer.alloc(BLOCK, 1));
      const rates = Object.fromEntries(Object.keys(operations).map((key) => [key, []]));
      // The first calls compile the code and touch the pool.
      for (const operation of Object.values(operations)) await rateOf(operation, 0.2);
      for (let round = 0; round < rounds; round++) {
        for (const [key, operation] of Object.entries(operations)) {
          rates[key].push(await rateOf(operation, seconds));
        }
      }
      const same = (rate) => rates.put.map(() => rate);
      reportRatio('8.57 MiB put_from, to the C API', rates.put, same(engine.put), 0.8, throughput);
      reportRatio('8.57 MiB get_into, to the C API', rates.get, same(engine.get), 0.8, throughput);
      reportRatio('8.57 MiB put_from, to an HTTP body', rates.put, rates.httpPut, 2, throughput);
      reportRatio('8.57 MiB get_into, to an HTTP body', rates.get, rates.httpGet, 2, throughput);
      reportRatio(
        '122 adjacent layers, to one range',
        rates.adjacent,
        rates.put,
        1 / 1.1,
        throughput,
      );
      reportRatio(
        '122 scattered layers, to one range',
        rates.scattered,
        rates.put,
        1 / 2.2,
        throughput,
      );
      reportRatio('1,000 items of 1 KiB, to safetensors', rates.many, rates.tensors, 3, perSecond);
    } finally {
      end();
      closeSync(descriptor);
      for (const path of [folder, `/dev/shm/${name}`]) rmSync(path, { recursive: true });
      await gateway.stop();
    }
  },
};
