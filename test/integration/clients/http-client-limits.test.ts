/** Limits of one client, behind a proxy that this test plays: it names the clients in X-Forwarded-For. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connectRaw, type RawConnection, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, requestsInFlight, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const inFlight = 8;
const largest = 8 * mebibyte;
const refusals = (limit: string) => `memcache_gateway_client_refusals_total{limit="${limit}"}`;

describe('the limits of one client', { timeout: 60_000 }, () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: [
        ...['--client-in-flight', String(inFlight), '--client-bytes-per-second', '8MiB'],
        ...['--trusted-proxy', '127.0.0.1', '--arena-bytes', '32MiB', '--pool-bytes', '128MiB'],
        // Shorter than the ten seconds in which a slow reader is not judged otherwise.
        ...['--max-object-bytes', '8MiB', '--arena-wait-ms', '8000'],
      ],
    });
  });
  after(() => gateway.kill());
  const { request, problem } = requestTo(() => gateway);
  const from = (client: string) => ({ 'x-forwarded-for': client });
  const put = (client: string, key: string, bytes: number) =>
    request('PUT', key, { headers: from(client), body: Buffer.alloc(bytes, 1) });

  /** Uploads that never end, each on its own connection. */
  const uploads = (client: string): Promise<RawConnection[]> =>
    Promise.all(
      Array.from({ length: inFlight }, async () => {
        const connection = await connectRaw(gateway.port);
        const head = { 'Content-Length': 1000, 'X-Forwarded-For': client };
        connection.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, head));
        connection.send('x');
        return connection;
      }),
    );
  const allBegun = () =>
    until(async () => (await metric(gateway.url, requestsInFlight)) >= inFlight + 1);

  it('refuse one request more than it may have in flight, and none of another client', async () => {
    for (let round = 0; round < 2; round++) {
      const held = await uploads('10.0.0.1');
      await allBegun();
      const options = { headers: from('10.0.0.1') };
      const { headers, json } = await problem('GET', 'a', 429, 'client-busy', options);
      assert.equal(headers['retry-after'], '1');
      assert.equal(json['retryable'], true);
      // What the client itself says of its address does not count.
      await problem('GET', 'a', 429, 'client-busy', { headers: from('9.9.9.9, 10.0.0.1') });
      await problem('PUT', 'a', 429, 'client-busy', { ...options, body: 'refused early' });
      assert.equal((await put('10.0.0.2', 'b', 10)).status, round === 0 ? 201 : 409);
      assert.equal((await request('GET', '', options, '/livez')).status, 200);
      // The aborted uploads are counted no more: the second round has as many.
      for (const connection of held) connection.destroy();
      await untilIdle(gateway.url);
    }
    assert.equal(await metric(gateway.url, refusals('in-flight')), 6);
    // The two clients, and the one that reads the metrics.
    assert.ok((await metric(gateway.url, 'memcache_gateway_clients')) >= 2);
  });

  it('refuse a client that has moved more bytes than those of a second', async () => {
    assert.equal((await put('10.0.1.1', 'at', largest)).status, 201);
    assert.equal((await put('10.0.1.1', 'past', 5 * mebibyte)).status, 201);
    const options = { headers: from('10.0.1.1') };
    const { headers } = await problem('GET', 'at', 429, 'client-too-fast', options);
    assert.equal(headers['retry-after'], '1');
    assert.equal((await request('HEAD', 'at', { headers: from('10.0.1.2') })).status, 200);
    assert.equal(await metric(gateway.url, refusals('bytes-per-second')), 1);
    await until(async () => (await request('HEAD', 'at', options)).status === 200);
  });

  it('name the client in the log', async () => {
    const find = () => gateway.logged().find((line) => line['problem'] === 'client-busy');
    await until(() => find() !== undefined);
    assert.equal(find()?.['client'], '10.0.0.1');
  });

  it('keep eight slow readers from shutting out a ninth client', async (t) => {
    const keys = Array.from({ length: inFlight + 1 }, (_, index) => `large-${index}`);
    for (const [index, key] of keys.entries()) {
      assert.equal((await put(`10.0.2.${index}`, key, largest)).status, 201);
    }
    const ninth = keys.pop() ?? '';
    const readers = keys.map((key) => {
      const socket = net.connect(gateway.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.pause();
      socket.write(requestHead('GET', `/v1/objects/${key}`, { 'X-Forwarded-For': '10.0.3.1' }));
      return socket;
    });
    t.after(async () => {
      for (const socket of readers) socket.destroy();
      await untilIdle(gateway.url);
    });
    await allBegun();
    await until(
      async () => (await metric(gateway.url, 'memcache_gateway_arena_bytes{state="free"}')) === 0,
    );
    const { status, body } = await request('GET', ninth, { headers: from('10.0.3.9') });
    assert.equal(status, 200, body.toString().slice(0, 500));
    assert.equal(body.length, largest);
  });
});
