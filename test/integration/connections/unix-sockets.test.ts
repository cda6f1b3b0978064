import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { GatewayError } from '../../../packages/client/src/index.ts';
import { abortAfter } from '../../helpers/http/aborts.ts';
import { connectRaw, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import {
  arenaWaiters,
  metric,
  requestsInFlight,
  untilIdle,
  usedBlocks,
} from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const folder = fs.mkdtempSync(path.join(tmpdir(), 'unix-'));
const file = path.join(folder, 'gateway.sock');
const unix = `unix:${file}`;
const listening = ['--listen', '127.0.0.1:0', '--listen', unix];
after(() => fs.rmSync(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Starts a gateway for the tests of a suite; the tests observe it over its TCP port. */
function gatewayOf(...args: string[]): () => ReadyGateway {
  let gateway: ReadyGateway | undefined;
  before(async () => {
    const env = { GATEWAY_DEBUG_ARENA: '1' };
    gateway = await startGateway({ args: [...listening, ...args], env });
  });
  after(() => gateway?.kill());
  return () => {
    if (gateway === undefined) throw new Error('the gateway has not started');
    return gateway;
  };
}

describe('through a Unix socket', () => {
  const gateway = gatewayOf();

  it('large objects are stored and returned unchanged, by Node and by curl', async () => {
    const body = randomBytes(8 * mebibyte + 13);
    const put = await requestChecked(unix, { method: 'PUT', path: '/v1/objects/a', body });
    assert.equal(put.status, 201);
    for (const origin of [unix, gateway().url]) {
      const got = await requestChecked(origin, { path: '/v1/objects/a' });
      assert.equal(sha256(got.body), sha256(body));
    }
    const run = promisify(execFile);
    const [source, copy] = [path.join(folder, 'in'), path.join(folder, 'out')];
    fs.writeFileSync(source, body);
    const curl = ['-sS', '--unix-socket', file];
    await run('curl', [...curl, '-T', source, 'http://localhost/v1/objects/b']);
    await run('curl', [...curl, '-o', copy, 'http://localhost/v1/objects/b']);
    assert.equal(sha256(fs.readFileSync(copy)), sha256(body));
    await untilIdle(gateway().url);
  });

  it('a thousand concurrent connections are all served, twice', async () => {
    const connections = await Promise.all(Array.from({ length: 1000 }, () => connectRaw(file)));
    const key = await requestTo(gateway).store('hello');
    for (const round of ['first', 'second']) {
      for (const { send } of connections) send(requestHead('GET', `/v1/objects/${key}`));
      const answers = await Promise.all(
        connections.map(({ next }) => next({ path: `/v1/objects/${key}` })),
      );
      const wrong = answers.filter(({ body }) => body.toString() !== 'hello');
      assert.equal(wrong.length, 0, round);
    }
    for (const { destroy } of connections) destroy();
    await untilIdle(gateway().url);
  });

  it('uploads and downloads that are cut off leave no block allocated', async () => {
    const body = randomBytes(2 * mebibyte);
    const stored = await requestTo(gateway).store(body);
    const keys: string[] = [];
    for (let i = 0; i < 30; i++) {
      const key = randomUUID();
      const head = requestHead('PUT', `/v1/objects/${key}`, { 'Content-Length': body.length });
      const whole = Buffer.concat([Buffer.from(head), body]);
      const cut = Math.floor((i * whole.length) / 31);
      await abortAfter(file, whole.subarray(0, cut), i % 2 === 0 ? 'end' : 'destroy');
      keys.push(key);
      const get = requestHead('GET', `/v1/objects/${stored}`);
      await abortAfter(file, get, 'destroy', Math.floor((i * body.length) / 30));
    }
    await untilIdle(gateway().url);
    for (const key of keys) {
      assert.equal(
        (await requestChecked(unix, { method: 'HEAD', path: `/v1/objects/${key}` })).status,
        404,
      );
    }
  });

  it('a client that ends its side before the response gets it', async () => {
    const key = await requestTo(gateway).store(Buffer.alloc(3 * mebibyte, 7));
    const socket = net.connect({ path: file, allowHalfOpen: true });
    socket.end(requestHead('GET', `/v1/objects/${key}`));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    assert.ok(Buffer.concat(chunks).length > 3 * mebibyte);
  });

  it('a client may go on sending a refused upload until it has read the response', async () => {
    const { send, next, socket, closed, destroy } = await connectRaw(file);
    const target = '/v1/objects/large';
    send(requestHead('PUT', target, { 'Content-Length': 64 * mebibyte }));
    const answer = await next({ method: 'PUT', path: target });
    assert.equal(slugOf(answer), 'object-too-large');
    const piece = Buffer.alloc(mebibyte);
    for (let at = 0; at < 64; at++) {
      await new Promise<void>((resolve, reject) => {
        socket.write(piece, (error) => (error ? reject(error) : resolve()));
      });
    }
    assert.equal((await closed()).reset, false);
    destroy();
  });

  it('a worker that does not respond delays no connection: the supervisor revokes it and responds', async () => {
    const worker = gateway().workerPid() ?? 0;
    process.kill(worker, 'SIGSTOP');
    const answer = await requestChecked(unix, { path: '/readyz' });
    assert.equal(answer.status, 503);
    assert.match(answer.body.toString(), /not-ready/);
    process.kill(worker, 'SIGCONT');
    await until(async () => (await requestChecked(unix, { path: '/readyz' })).status === 200);
  });
});

describe('a client of a Unix socket that waits for room', () => {
  const gateway = gatewayOf(
    ...['--arena-bytes', '16MiB', '--max-object-bytes', '8MiB', '--arena-wait-ms', '60000'],
  );

  for (const how of ['end', 'destroy'] as const) {
    it(`loses its place when it disconnects by ${how}, though unread bytes of its body remain`, async () => {
      const headers = { 'Content-Length': 7.5 * mebibyte };
      const open = async () => {
        const connection = await connectRaw(file);
        connection.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, headers));
        return connection;
      };
      const holders = [await open(), await open()];
      await until(async () => (await metric(gateway().url, usedBlocks)) === 2);
      const leaving = await open();
      await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
      leaving.send(Buffer.alloc(100_000));
      leaving.socket[how]();
      await until(async () => (await metric(gateway().url, arenaWaiters)) === 0);
      for (const { destroy } of [...holders, leaving]) destroy();
      await untilIdle(gateway().url);
    });
  }
});

describe('a reader on a Unix socket', () => {
  const gateway = gatewayOf('--min-rate-bytes', '0', '--idle-timeout-ms', '800');
  const size = 8 * mebibyte;

  /** A busy machine may not run this process for longer than the idle timeout. */
  async function storedKey(): Promise<string> {
    for (;;) {
      try {
        return await requestTo(gateway).store(Buffer.alloc(size, 1));
      } catch (error) {
        if (!(error instanceof GatewayError && error.problem === 'request-timeout')) throw error;
      }
    }
  }

  it('that is slow and steady gets a whole object', async (t) => {
    const key = await storedKey();
    const socket = net.connect(file);
    socket.on('readable', () => undefined);
    let received = 0;
    // Each megabyte takes longer than the idle timeout.
    const pace = setInterval(() => {
      const chunk = socket.read(Math.min(20_000, Math.max(1, socket.readableLength))) as Buffer;
      received += (chunk as Buffer | null)?.length ?? 0;
    }, 20);
    t.after(() => {
      clearInterval(pace);
      socket.destroy();
    });
    socket.write(requestHead('GET', `/v1/objects/${key}`, { Connection: 'close' }));
    await once(socket, 'end');
    assert.ok(received > size, `${received} of ${size} bytes, and a head`);
    await untilIdle(gateway().url);
  });

  it('that stops reading is cut off, and its block is released', async () => {
    const key = await storedKey();
    const socket = net.connect(file).pause();
    socket.write(requestHead('GET', `/v1/objects/${key}`));
    await until(async () => (await metric(gateway().url, requestsInFlight)) === 2);
    await untilIdle(gateway().url);
    socket.destroy();
  });
});

describe('a gateway that stops', () => {
  it('finishes requests on a Unix socket, and accepts no more connections there', async (t) => {
    const gateway = await startGateway({ args: listening });
    t.after(() => gateway.kill());
    const { send, next, closed, destroy } = await connectRaw(file);
    const target = '/v1/objects/a';
    send(requestHead('PUT', target, { 'Content-Length': 5, Expect: '100-continue' }));
    assert.equal((await next()).status, 100);
    const idle = await connectRaw(file);
    idle.send(requestHead('GET', '/livez'));
    assert.equal((await idle.next({ path: '/livez' })).status, 200);
    gateway.signal('SIGTERM');
    await idle.closed();
    await assert.rejects(once(net.connect(file), 'connect'), { code: 'ENOENT' });
    send('hello');
    const answer = await next({ method: 'PUT', path: target });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['connection'], 'close');
    await closed();
    destroy();
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
