import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const CLIENTS = 200;

/** Batches may hold 32 MiB. Without that bound, this number of clients needs several times the heap. */
const args = [
  ...['--batch-json-bytes', '4MiB', '--max-heap-bytes', '112MiB'],
  ...['--arena-bytes', '16MiB', '--pool-bytes', '16MiB', '--size-cache-keys', '0'],
];

function chunked(path: string, type: string, body: Buffer): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\r\n')]);
}

/** Its last tensor never ends, and its other tensors are refused. */
function safetensors(count: number): Buffer {
  const empty = Array.from(
    { length: count },
    (_, n) => `"${n}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`,
  );
  const last = '"last":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}';
  const header = Buffer.from(`{${[...empty, last].join()}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return chunked(
    '/v1/batch/put',
    'application/vnd.safetensors',
    Buffer.concat([length, header, Buffer.from('a')]),
  );
}

function multipart(count: number): Buffer {
  const part = (n: number) => `--X\r\nContent-Disposition: form-data; name=${n}\r\n\r\n\r\n`;
  const parts = Array.from({ length: count }, (_, n) => part(n));
  return chunked('/v1/batch/put', 'multipart/form-data; boundary=X', Buffer.from(parts.join('')));
}

function keys(operation: string, count: number): Buffer {
  const body = JSON.stringify({ keys: Array.from({ length: count }, () => 'missing') });
  return Buffer.from(
    `POST /v1/batch/${operation} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

describe('clients that fill the heap', { timeout: 180_000 }, () => {
  let gateway: ReadyGateway;
  let worker: number | undefined;
  const sockets = new Set<Socket>();
  before(async () => {
    gateway = await startGateway({ args });
    worker = gateway.workerPid();
    await fetch(`${gateway.url}/v1/objects/precious`, { method: 'PUT', body: 'x' });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await gateway.stop();
  });

  async function heldBytes(): Promise<number> {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    return Number(/^memcache_gateway_text_held_bytes(?:\{.*\})? (\d+)$/m.exec(text)?.[1]);
  }

  /** Sends the request from an address of its own, reads the beginning of the response, then nothing more. */
  function client(request: Buffer, statuses: (number | undefined)[], at: number): void {
    const localAddress = `127.0.1.${at + 1}`;
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1', localAddress });
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(request);
    socket.once('data', (chunk: Buffer) => {
      statuses[at] = Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString('latin1'))?.[1]);
      socket.pause();
    });
  }

  for (const [form, request] of [
    ['safetensors puts', safetensors(8000)],
    ['multipart puts', multipart(8000)],
    ['batch gets that are not read', keys('get', 20_000)],
    ['batch exists that are not read', keys('exists', 60_000)],
  ] as const) {
    it(`get 503 for ${form} beyond the bound, and the worker serves others`, async () => {
      const statuses: (number | undefined)[] = [];
      for (let sent = 0; sent < CLIENTS; sent += 50) {
        for (let n = 0; n < 50; n++) client(request, statuses, sent + n);
        const precious = await fetch(`${gateway.url}/v1/objects/precious`);
        assert.equal(await precious.text(), 'x');
      }
      const count = (wanted: number) => statuses.filter((status) => status === wanted).length;
      await until(() => count(503) > 0, { deadlineMs: 60_000, what: 'a refusal' });
      const others = statuses.filter((status) => status !== undefined && status !== 503);
      assert.deepEqual(
        [...new Set(others)].filter((status) => status !== 200),
        [],
      );
      assert.equal(gateway.workerPid(), worker);
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await until(async () => (await heldBytes()) === 0, { deadlineMs: 60_000 });
      assert.equal(gateway.workerPid(), worker);
    });
  }

  it('are bounded by the heap limit on the command line of the worker', () => {
    const command = readFileSync(`/proc/${worker}/cmdline`, 'utf8').split('\0');
    assert.ok(command.includes('--max-old-space-size=112'), command.join(' '));
  });

  it('leave room for a thousand pipelined requests, whose memory is released', async () => {
    const one = 'GET /v1/objects/precious HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
    sockets.add(socket);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.write(one.repeat(1000));
    await until(() => text.split('HTTP/1.1 200').length === 1001, { deadlineMs: 30_000 });
    await until(async () => (await heldBytes()) === 0, { deadlineMs: 30_000 });
  });

  it('are charged for each pipelined request that waits, including the first', async () => {
    const block = { method: 'PUT', body: Buffer.alloc(8 << 20, 'b') };
    await fetch(`${gateway.url}/v1/objects/block`, block);
    const head = (path: string, filler: string) =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Filler: ${filler}\r\n\r\n`;
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
    sockets.add(socket);
    const waiting = head('/v1/objects/precious', 'x'.repeat(15_000));
    socket.write(head('/v1/objects/block', '') + waiting.repeat(3));
    await until(async () => (await heldBytes()) >= 3 * 30_000, { deadlineMs: 30_000 });
    socket.destroy();
    await until(async () => (await heldBytes()) === 0, { deadlineMs: 30_000 });
  });

  it('are charged for each request behind one that ends its connection', async () => {
    const head = (path: string, version: string, fields: string) =>
      `GET ${path} HTTP/${version}\r\nHost: localhost\r\n${fields}\r\n`;
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
    sockets.add(socket);
    socket.on('error', () => undefined);
    const last = head('/livez', '2.0', 'Connection: keep-alive\r\n');
    const ignored = head('/livez', '1.1', `X-Filler: ${'x'.repeat(15_000)}\r\n`);
    socket.write(head('/v1/objects/block', '1.1', '') + last + ignored.repeat(3));
    await until(async () => (await heldBytes()) >= 3 * 30_000, { deadlineMs: 30_000 });
    socket.destroy();
    await until(async () => (await heldBytes()) === 0, { deadlineMs: 30_000 });
  });

  it('are bounded for 20,000 pipelined requests, since the gateway stops reading', async () => {
    const requests = 20_000;
    const one = 'GET /v1/objects/precious HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('GET /v1/objects/block HTTP/1.1\r\nHost: localhost\r\n\r\n');
    socket.write(one.repeat(requests));
    let held = 0;
    await until(async () => {
      const before = held;
      held = await heldBytes();
      return held > 0 && held === before;
    });
    // All requests together would take 53 MB.
    assert.ok(held < 12 << 20, `${held} bytes`);
    let responses = 0;
    let tail = '';
    socket.on('data', (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1');
      responses += text.split('HTTP/1.1 200').length - 1;
      tail = text.slice(-11);
    });
    await until(() => responses === requests + 1, { deadlineMs: 60_000, what: 'every response' });
    await until(async () => (await heldBytes()) === 0, { deadlineMs: 30_000 });
  });
});
