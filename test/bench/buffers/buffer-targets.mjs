// The benchmark of shared buffers, on one connection to a Unix socket, compared with HTTP bodies and the engine's C API.
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK, perSecond, throughput } from '../measure.mjs';
import { startGateway } from '../processes.mjs';

const REGION = 4 * BLOCK;
const SMALL = 1024;
const MANY = 1000;

/** The medians of calls in C on one thread, from and into the same shared memory, in operations per second. */
function engineRates(file) {
  const program = join('build', 'native', 'engine-bench');
  const text = execFileSync(program, ['--region', file], { encoding: 'utf8' });
  const rateOf = (name) => {
    const found = new RegExp(`^${name} +([\\d.]+) us`, 'm').exec(text);
    if (found === null) throw new Error(`engine-bench did not print ${name}:\n${text}`);
    return 1e6 / Number(found[1]);
  };
  return { put: rateOf('put of 8.57 MB, second use'), get: rateOf('get of 8.57 MB') };
}

const json = (value) => Buffer.from(JSON.stringify(value));

/** Where the body of a response ends: undefined before it is there. */
function endOfResponse(head, bytes, from) {
  const length = /^content-length: (\d+)/im.exec(head);
  if (length !== null) return from + Number(length[1]);
  if (/^HTTP\/1.1 204/.test(head)) return from;
  // In chunks: no body here contains the text of the last one.
  const last = bytes.subarray(Math.max(from, bytes.length - 5));
  return last.toString('latin1') === '0\r\n\r\n' ? bytes.length : undefined;
}

/**
 * Requests on one connection, one after another. It does little itself, because the processor time of a
 * client counts as much as that of the gateway: it only finds the end of each response.
 */
class Connection {
  #socket;
  #chunks = [];
  #length = 0;
  #settle;

  constructor(socketPath) {
    this.#socket = connect(socketPath);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#settle?.reject(error));
  }

  /** Resolves with the bytes after the head; those of a long response with the frames of its chunks. */
  call = (method, path, body, type = 'application/json', accept = '*/*') => {
    const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n`;
    const bytes = typeof body === 'object' && !Buffer.isBuffer(body) ? json(body) : body;
    const framing =
      bytes === undefined ? '' : `Content-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n`;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.cork();
      this.#socket.write(`${head}${framing}\r\n`);
      if (bytes !== undefined) this.#socket.write(bytes);
      this.#socket.uncork();
    });
  };

  end() {
    this.#socket.destroy();
  }

  #receive(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const first = this.#chunks[0];
    const from = first.indexOf('\r\n\r\n') + 4;
    if (from < 4) throw new Error('the first bytes of a response did not contain its head');
    const head = first.toString('latin1', 0, from);
    const isLong = /^content-length: \d{6}/im.test(head);
    if (isLong && this.#length < endOfResponse(head, first, from)) return;
    const bytes = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    const end = endOfResponse(head, bytes, from);
    if (end === undefined || end > bytes.length) return;
    this.#chunks = [];
    this.#length = 0;
    const rest = bytes.subarray(from, end);
    if (/^HTTP\/1.1 2/.test(head)) this.#settle.resolve(rest);
    else this.#settle.reject(new Error(`${head}${rest}`));
  }
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

const smallItems = (prefix) =>
  Array.from({ length: MANY }, (_, n) => ({
    key: `${prefix}${n}`,
    offset: n * SMALL,
    size: SMALL,
  }));

const tensorNames = () => smallItems('t-').map(({ key }) => key);

/** A safetensors file of `MANY` values. */
function tensors() {
  const header = {};
  for (const [n, name] of tensorNames().entries()) {
    header[name] = { dtype: 'U8', shape: [SMALL], data_offsets: [n * SMALL, (n + 1) * SMALL] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(MANY * SMALL, 1)]);
}

/** A put of new objects, which `undo` removes outside the measured time. */
function putOf(call, items) {
  const text = json({ items });
  const keys = json({ keys: items.map(({ key }) => key) });
  return {
    run: () => call('POST', '/v1/buffers/b/put', text),
    undo: () => call('POST', '/v1/batch/remove', keys),
  };
}

function getOf(call, items) {
  const text = json({ items });
  return { run: () => call('POST', '/v1/buffers/b/get', text) };
}

/** The operations to measure. */
function operationsOf(call, body) {
  const many = smallItems('m-');
  const keys = json({ keys: tensorNames() });
  const kept = smallItems('kept-');
  const keptKeys = json({ keys: kept.map(({ key }) => key) });
  const file = tensors();
  const type = 'application/vnd.safetensors';
  return {
    put: putOf(call, [{ key: 'block', offset: 0, size: BLOCK }]),
    adjacent: putOf(call, [{ key: 'layers', layers: layersOf(0) }]),
    scattered: putOf(call, [{ key: 'layers', layers: layersOf(4096) }]),
    httpPut: {
      run: () => call('PUT', '/v1/objects/body', body, 'application/octet-stream'),
      undo: () => call('DELETE', '/v1/objects/body'),
    },
    manyPut: putOf(call, many),
    tensorsPut: {
      run: () => call('POST', '/v1/batch/put', file, type),
      undo: () => call('POST', '/v1/batch/remove', keys),
    },
    get: getOf(call, [{ key: 'kept', offset: 0, size: BLOCK }]),
    httpGet: { run: () => call('GET', '/v1/objects/kept') },
    manyGet: getOf(call, kept),
    tensorsGet: {
      run: () => call('POST', '/v1/batch/get', keptKeys, 'application/json', type),
    },
  };
}

/** Stores what the gets read. */
async function storeKept(call) {
  const items = [{ key: 'kept', offset: 0, size: BLOCK }, ...smallItems('kept-')];
  const text = String(await call('POST', '/v1/buffers/b/put', { items }));
  if (!text.includes('"failed":0}')) throw new Error(`some objects were not stored: ${text}`);
}

/** Operations per second of the time that the operations take. */
async function rateOf({ run, undo }, seconds) {
  const end = performance.now() + seconds * 1000;
  let spentMs = 0;
  let count = 0;
  while (performance.now() < end) {
    const start = performance.now();
    await run();
    spentMs += performance.now() - start;
    count += 1;
    await undo?.();
  }
  return (count * 1000) / spentMs;
}

export const bufferTargets = {
  async 'shared-buffers'({ rounds, seconds, reportRatio }) {
    execFileSync(process.execPath, ['scripts/build-engine.mjs', '--bench']);
    const folder = mkdtempSync(join(tmpdir(), 'bench-buffers-'));
    const socket = join(folder, 'gateway.sock');
    const name = `memcache-bench-${process.pid}`;
    const descriptor = openSync(`/dev/shm/${name}`, 'wx+', 0o600);
    ftruncateSync(descriptor, REGION);
    for (let n = 0; n < 4; n++) writeSync(descriptor, Buffer.alloc(BLOCK, n), 0, BLOCK, n * BLOCK);
    const listen = ['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'];
    const gateway = await startGateway(...listen, '--shared-buffers', 'on');
    const connection = new Connection(socket);
    const { call } = connection;
    try {
      await call('PUT', '/v1/buffers/b', { shmKey: `/${name}`, byteSize: REGION });
      await storeKept(call);
      const operations = operationsOf(call, Buffer.alloc(BLOCK, 1));
      const rates = Object.fromEntries(Object.keys(operations).map((key) => [key, []]));
      const engine = { put: [], get: [] };
      // The first thousands of requests compile the code, and those of blocks touch the pool.
      const small = [{ key: 'small', offset: 0, size: SMALL }];
      for (const operation of [putOf(call, small), getOf(call, smallItems('kept-').slice(0, 1))])
        await rateOf(operation, 3);
      for (const operation of Object.values(operations)) await rateOf(operation, 1);
      for (let round = 0; round < rounds; round++) {
        const { put, get } = engineRates(`/dev/shm/${name}`);
        engine.put.push(put);
        engine.get.push(get);
        for (const [key, operation] of Object.entries(operations)) {
          rates[key].push(await rateOf(operation, seconds));
        }
      }
      const { put, get, adjacent, scattered, manyPut, manyGet } = rates;
      const report = (title, of, to, target, show = throughput) =>
        reportRatio(title, of, to, target, show);
      report('8.57 MiB put_from, to the C API', put, engine.put, 0.8);
      report('8.57 MiB get_into, to the C API', get, engine.get, 0.8);
      report('8.57 MiB put_from, to an HTTP body', put, rates.httpPut, 2);
      report('8.57 MiB get_into, to an HTTP body', get, rates.httpGet, 2);
      report('122 adjacent layers, to one range', adjacent, put, 1 / 1.1);
      report('122 scattered layers, to one range', scattered, put, 1 / 2.2);
      report('1,000 puts of 1 KiB, to safetensors', manyPut, rates.tensorsPut, 3, perSecond);
      report('1,000 gets of 1 KiB, to safetensors', manyGet, rates.tensorsGet, 1, perSecond);
    } finally {
      connection.end();
      closeSync(descriptor);
      for (const path of [folder, `/dev/shm/${name}`]) rmSync(path, { recursive: true });
      await gateway.stop();
    }
  },
};
