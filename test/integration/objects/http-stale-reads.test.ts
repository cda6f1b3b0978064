/** A read that is in flight while another worker changes the object must not serve later requests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';
import { connectTo, type PinnedConnection } from '../../model/pinned-connection.ts';

const READ_MS = 500;
const old = randomBytes(200_000);

const changes = [
  { name: 'a PUT of the same length', value: randomBytes(200_000) },
  { name: 'a PUT of another length', value: randomBytes(150_000) },
  { name: 'a DELETE', value: undefined },
];

describe('a GET that begins after a change through another worker is complete', () => {
  const injection = createInjection();
  let gateway: ReadyGateway;
  let connections: PinnedConnection[] = [];
  before(async () => {
    const engine = await injectingLibrary();
    gateway = await startGateway({
      args: ['--devices', '0,1', '--ready-when', 'all', '--engine', engine],
      env: injection.env,
    });
    connections = await Promise.all([0, 0, 1].map((device) => connectTo(gateway.url, device)));
  });
  after(async () => {
    for (const connection of connections) connection.close();
    await gateway.kill();
    injection.dispose();
  });

  const readsStarted = (): number =>
    injection.counters('get').started + injection.counters('batch_get').started;

  const exchange = async (
    connection: PinnedConnection,
    method: string,
    path: string,
    body?: Buffer,
  ) => {
    const response = await connection.send(method, path, body);
    return { status: response.status, body: await response.body(), endedMs: performance.now() };
  };

  /** Returns false unless the first read was in flight from before the change until the second one began. */
  async function race(key: string, value: Buffer | undefined): Promise<boolean> {
    const [reader, laterReader, writer] = connections as [
      PinnedConnection,
      PinnedConnection,
      PinnedConnection,
    ];
    const path = `/v1/objects/${key}`;
    assert.equal((await exchange(writer, 'PUT', path, old)).status, 201);
    await injection.set([
      { on: ['get', 'batch_get'], delayAfterUs: READ_MS * 1000, prefix: key, first: 1 },
    ]);
    const started = readsStarted();
    const first = exchange(reader, 'GET', path);
    first.catch(() => undefined); // A failed assertion below would leave this promise without a handler.
    await until(() => readsStarted() > started);
    const change =
      value === undefined
        ? await exchange(writer, 'DELETE', path)
        : await exchange(writer, 'PUT', `${path}?ifExists=replace`, value);
    assert.equal(change.status, value === undefined ? 204 : 200);
    const beganMs = performance.now();
    const second = await exchange(laterReader, 'GET', path);
    assert.ok(!second.body.equals(old), 'the later GET returned the old value');
    if (value === undefined) assert.equal(second.status, 404);
    else assert.ok(second.status === 200 && second.body.equals(value));
    const { body, endedMs } = await first;
    return body.equals(old) && endedMs > beganMs;
  }

  for (const [at, { name, value }] of changes.entries()) {
    it(`never returns the value before ${name}, while an older read is in flight`, async () => {
      let attempt = 0;
      await until(() => {
        attempt += 1;
        return race(`stale-${at}-${attempt}-`, value);
      });
    });
  }
});
