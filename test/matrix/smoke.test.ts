/**
 * Tests for every supported version of Node. The gateway runs under TEST_NODE, this file under the
 * machine's own Node.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import { connectRaw } from '../helpers/http/raw-connection.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { until } from '../helpers/process/until.ts';

const LARGE_BYTES = 9_000_001;

/** Returns bytes that differ in every word, and between seeds. */
function pattern(bytes: number, seed: number): Buffer<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = (at + seed) * 2_654_435_761;
  return Buffer.from(words.buffer, 0, bytes);
}

const head = (method: string, key: string, headers = ''): string =>
  `${method} /v1/objects/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;
const put = (key: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(head('PUT', key, `Content-Length: ${body.length}\r\n`)), body]);

describe('the gateway', { timeout: 120_000 }, () => {
  let gateway: ReadyGateway | undefined;
  let workers: number[] = [];
  afterEach(async () => {
    const started = gateway;
    gateway = undefined;
    if (started === undefined) return;
    const remaining = childrenOf(started.pid);
    await started.kill();
    assert.deepEqual(remaining, workers, 'a worker has been replaced');
  });

  async function start(...args: string[]): Promise<ReadyGateway> {
    gateway = await startGateway({ args });
    workers = childrenOf(gateway.pid);
    return gateway;
  }

  /** Retries while the machine is too busy for the worker to accept a connection in time. */
  async function ask(url: string, init?: RequestInit): Promise<Response> {
    for (let attempts = 1; ; attempts += 1) {
      const answer = await fetch(url, init);
      if (answer.status !== 503 || attempts === 20) return answer;
      const { type } = (await answer.json()) as { type: string };
      assert.equal(type, '/problems/not-ready');
      await elapse(500);
    }
  }

  async function store(
    { url }: ReadyGateway,
    key: string,
    body: Buffer<ArrayBuffer>,
  ): Promise<void> {
    const answer = await ask(`${url}/v1/objects/${key}`, { method: 'PUT', body });
    assert.equal(answer.status, 201, `PUT ${key}: ${await answer.text()}`);
  }

  async function read({ url }: ReadyGateway, key: string): Promise<Buffer> {
    const answer = await ask(`${url}/v1/objects/${key}`);
    assert.equal(answer.status, 200, `GET ${key}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  const storeAndRead = async (
    to: ReadyGateway,
    key: string,
    body: Buffer<ArrayBuffer>,
  ): Promise<void> => {
    await store(to, key, body);
    assert.ok((await read(to, key)).equals(body), `${key} came back changed`);
  };

  /** Returns the values of a metric by its labels, as written in the text. */
  async function metric({ url }: ReadyGateway, name: string): Promise<Map<string, number>> {
    const text = await (await ask(`${url}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return new Map(
      lines.map((line) => [
        line.slice(name.length, line.lastIndexOf(' ')),
        Number(line.split(' ').at(-1)),
      ]),
    );
  }

  it('stores and reads small and large objects from the moment it is ready', async () => {
    for (let round = 0; round < 3; round += 1) {
      const started = await start();
      const sizes = [1, 1_024, LARGE_BYTES, 70_000, 1, LARGE_BYTES + 1, 300_000, LARGE_BYTES + 2];
      await Promise.all(
        sizes.map((bytes, at) => storeAndRead(started, `start-${at}`, pattern(bytes, at))),
      );
      assert.deepEqual(childrenOf(started.pid), workers, 'the worker has been replaced');
      const { code } = await started.stop();
      assert.equal(code, 0);
      gateway = undefined;
    }
  });

  it('has every Node feature on, unless it is disabled', async () => {
    const started = await start();
    const states = await metric(started, 'memcache_gateway_node_feature');
    const failed = [...states].filter(
      ([labels, value]) => labels.includes('"failed"') && value > 0,
    );
    assert.deepEqual(failed, []);
    assert.equal([...states.values()].filter((value) => value === 1).length, states.size / 3);
    assert.doesNotMatch(started.stdout(), /"state":"failed"/);
  });

  it('responds to pipelined requests in order, with small and large bodies', async () => {
    const started = await start();
    const bodies = [pattern(5, 1), pattern(LARGE_BYTES, 2), pattern(400_000, 3), pattern(9, 4)];
    const connection = await connectRaw(started.port);
    for (const [at, body] of bodies.entries()) {
      connection.send(
        Buffer.concat([put(`pipe-${at}`, body), Buffer.from(head('GET', `pipe-${at}`))]),
      );
    }
    for (const [at, body] of bodies.entries()) {
      const path = `/v1/objects/pipe-${at}`;
      assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
      const answer = await connection.next({ method: 'GET', path });
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(body), `body ${at}`);
    }
    connection.destroy();
  });

  it('releases all blocks when clients disconnect during transfers, and keeps serving', async () => {
    const started = await start();
    await store(started, 'aborted-get', pattern(LARGE_BYTES, 1));
    for (let round = 0; round < 6; round += 1) {
      const upload = await connectRaw(started.port);
      upload.send(put(`aborted-put-${round}`, pattern(LARGE_BYTES, round)).subarray(0, 4_000_000));
      const download = await connectRaw(started.port);
      download.socket.removeAllListeners('data');
      download.send(head('GET', 'aborted-get'));
      await once(download.socket, 'data');
      if (round % 2 === 0) {
        upload.socket.resetAndDestroy();
        download.socket.resetAndDestroy();
      } else {
        upload.destroy();
        download.destroy();
      }
    }
    await until(async () => {
      const blocks = await metric(started, 'memcache_gateway_arena_blocks');
      return [...blocks.values()].every((value) => value === 0);
    });
    await storeAndRead(started, 'after-aborts', pattern(LARGE_BYTES, 7));
  });

  it('refuses an upload early, and the client receives the status', async () => {
    const started = await start('--max-object-bytes', '1MiB');
    // On a busy machine the worker may not accept the connection in time.
    const refused = async () => {
      const connection = await connectRaw(started.port);
      connection.send(put('too-large', pattern(3 << 20, 1)));
      const answer = await connection.next({ method: 'PUT', path: '/v1/objects/too-large' });
      connection.destroy();
      return answer;
    };
    let answer = await refused();
    for (let attempts = 1; answer.status === 503 && attempts < 20; attempts += 1) {
      await elapse(500);
      answer = await refused();
    }
    assert.equal(answer.status, 413);
    assert.equal(answer.headers['connection'], 'close');
  });

  it('serves batches as JSON and multipart', async () => {
    const started = await start();
    const keys = ['batch-a', 'batch-b'];
    const items = keys.map((key) => ({ key, value: Buffer.from(key).toString('base64') }));
    const post = async (
      operation: string,
      body: object,
    ): Promise<{ items: { status: number }[] }> => {
      const answer = await ask(`${started.url}/v1/batch/${operation}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { items: { status: number }[] };
    };
    const statuses = ({ items: all }: { items: { status: number }[] }) =>
      all.map(({ status }) => status);
    assert.deepEqual(statuses(await post('put', { items })), [201, 201]);
    assert.deepEqual(statuses(await post('get', { keys })), [200, 200]);
    const form = new FormData();
    form.set('batch-c', new Blob([pattern(LARGE_BYTES, 3)]));
    form.set('batch-d', new Blob([pattern(10, 4)]));
    const answer = await ask(`${started.url}/v1/batch/put`, { method: 'POST', body: form });
    assert.equal(answer.status, 200, await answer.text());
    assert.ok((await read(started, 'batch-c')).equals(pattern(LARGE_BYTES, 3)));
    assert.deepEqual(statuses(await post('remove', { keys: ['batch-c'] })), [204]);
  });

  it('finishes an upload after SIGTERM, and exits with 0', async () => {
    const started = await start();
    const whole = put('draining', pattern(LARGE_BYTES, 1));
    const connection = await connectRaw(started.port);
    connection.send(whole.subarray(0, 5_000_000));
    await until(async () => {
      const requests = await metric(started, 'memcache_gateway_arena_blocks');
      return [...requests.values()].some((value) => value > 0);
    });
    const ended = started.stop();
    await until(() => started.stdout().includes('"msg":"stopping'));
    connection.send(whole.subarray(5_000_000));
    const answer = await connection.next({ method: 'PUT', path: '/v1/objects/draining' });
    assert.equal(answer.status, 201);
    connection.destroy();
    assert.equal((await ended).code, 0);
    gateway = undefined;
  });

  it('serves two devices, each from its own worker', async () => {
    const started = await start('--devices', '0,1', '--ready-when', 'all');
    const { clients } = (await (await ask(`${started.url}/v1/clients`)).json()) as {
      clients: { state: string; pid: number }[];
    };
    assert.deepEqual(
      clients.map(({ state }) => state),
      ['ready', 'ready'],
    );
    assert.equal(new Set(clients.map(({ pid }) => pid)).size, 2);
    const connections = await Promise.all(
      Array.from({ length: 8 }, () => connectRaw(started.port)),
    );
    await Promise.all(
      connections.map(async (connection, at) => {
        const path = `/v1/objects/device-${at}`;
        connection.send(put(`device-${at}`, pattern(1_000_000, at)));
        assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
        connection.send(head('GET', `device-${at}`));
        assert.ok(
          (await connection.next({ method: 'GET', path })).body.equals(pattern(1_000_000, at)),
        );
        connection.destroy();
      }),
    );
  });
});
