/**
 * A debugger or SIGSTOP stops one of two workers while it holds the lock of a shard, and many clients
 * request a key of that shard from the other worker. LOCK_STOPS is the number of stops.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import type { OwnAnswer, OwnConnection } from '../../helpers/http/own-connection.ts';
import {
  childrenOf,
  isAlive,
  type ReadyGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { holdProcess, stateOf } from '../../helpers/process/native-debugger.ts';
import {
  connectionsTo,
  createStops,
  type Stops,
  stoppingLibrary,
} from '../../helpers/process/stopped-worker.ts';
import { until } from '../../helpers/process/until.ts';

const stops = Number(process.env['LOCK_STOPS'] ?? 1);
const clientCount = 48;
/** Longer than the time for which an asynchronous call waits for the lock. */
const stoppedMs = 1300;
/** Keys in other shards; one key in 64 is in the locked shard. */
const otherCount = 32;
const maxInOneShard = 6;
const usedCount = 8;
const largeBytes = 200 * 1024;
/** An event loop that waits for the lock blocks for some 10 s with 48 clients. Other tests may run, too. */
const promptMs = 5000;

let stopping: Stops;
let running: ReadyGateway | undefined;
const open: OwnConnection[] = [];
beforeEach(() => {
  stopping = createStops();
});
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close();
  await running?.kill();
  stopping.dispose();
});

async function start(flags: readonly string[] = [], env: Record<string, string> = {}) {
  const args = ['--engine', await stoppingLibrary(), '--devices', '0-1', '--ready-when', 'all'];
  const gateway = await startGateway({
    args: [...args, ...flags],
    env: { ...stopping.env, ...env },
  });
  running = gateway;
  const { clients } = JSON.parse(await (await fetch(`${gateway.url}/v1/clients`)).text()) as {
    clients: { device: number; pid: number }[];
  };
  const pidOf = (device: number) =>
    clients.find((client) => client.device === device)?.pid ?? assert.fail('no worker');
  const to = async (device: number, count: number) => {
    const connections = await connectionsTo(gateway.url, device, count);
    open.push(...connections);
    return connections;
  };
  const [stopped] = (await to(0, 1)) as [OwnConnection];
  const [other, ...clientsOfHot] = (await to(1, 1 + clientCount)) as [OwnConnection];
  const killed = () =>
    gateway.logged().filter(({ msg }) => String(msg).startsWith('worker is killed and replaced: '));
  return { gateway, pids: [pidOf(0), pidOf(1)] as const, stopped, other, clientsOfHot, killed };
}

type Started = Awaited<ReturnType<typeof start>>;

/** The request during which the worker stopped. */
interface Pending {
  answer: Promise<OwnAnswer> | undefined;
}

const textOf = (key: string): string =>
  key === 'large' ? 'large '.repeat(Math.ceil(largeBytes / 6)) : `value of ${key}`;
const others = Array.from({ length: otherCount }, (_, at) => `other-${at}`);
const get = (connection: OwnConnection, key: string) => connection.ask('GET', `/v1/objects/${key}`);

/** Each worker holds half of the other keys in its memory, and the stopping worker holds the hot key. */
async function store({ stopped, other }: Started): Promise<void> {
  for (const [at, key] of ['hot', 'large', ...others].entries()) {
    const to = at % 2 === 0 ? stopped : other;
    const answer = await to.ask('PUT', `/v1/objects/${key}`, textOf(key));
    assert.equal(answer.status, 201);
  }
}

async function isWhole(connection: OwnConnection, key: string): Promise<boolean> {
  const { status, body } = await get(connection, key);
  if (status === 200) assert.equal(body, textOf(key));
  return status === 200;
}

/** Requests the hot key on every connection until `isOver`, and returns the statuses of each. */
function askForHot(connections: readonly OwnConnection[], isOver: () => boolean) {
  return Promise.all(
    connections.map(async (connection) => {
      const seen = new Set<number>();
      while (!isOver()) {
        const { status, body } = await get(connection, 'hot');
        if (status === 200) assert.equal(body, textOf('hot'));
        seen.add(status);
        await elapse(50);
      }
      return seen;
    }),
  );
}

/** Checks that the healthy worker serves keys of other shards, one operation of each kind after another. */
async function useOtherShards(other: OwnConnection, keys: readonly string[]): Promise<void> {
  const good = (answer: OwnAnswer, what: string) =>
    assert.equal(answer.status, 200, `${what}: ${answer.status} ${answer.body}`);
  for (const key of keys) {
    assert.ok(await isWhole(other, key), key);
    good(await other.ask('HEAD', `/v1/objects/${key}`), 'HEAD');
  }
  const [first = ''] = keys;
  good(await other.ask('PUT', `/v1/objects/${first}?ifExists=replace`, textOf(first)), 'PUT');
  const body = JSON.stringify({ keys });
  const batch = await other.ask('POST', '/v1/batch/get', body, 'application/json');
  good(batch, 'batch get');
  const { items } = JSON.parse(batch.body) as { items: { status: number }[] };
  assert.deepEqual([...new Set(items.map(({ status }) => status))], [200]);
}

/** Checks that requests for the hot key get 503. They must not take effect: the caller checks the value later. */
async function isRefused(other: OwnConnection): Promise<void> {
  const hot = '/v1/objects/hot';
  const refused = [
    await other.ask('GET', hot),
    await other.ask('PUT', hot, 'another value'),
    await other.ask('DELETE', hot),
  ];
  for (const { status, body, retryAfter } of refused) {
    const problem = JSON.parse(body) as { type: string; retryable: boolean };
    assert.deepEqual([status, problem.type], [503, '/problems/pool-locked'], body);
    assert.equal(problem.retryable, true);
    assert.equal(retryAfter, '1');
  }
}

async function stopOnce(started: Started): Promise<void> {
  const { pids, stopped, other, clientsOfHot } = started;
  let pending: Promise<OwnAnswer> | undefined;
  await stopping.stop(pids[0], () => {
    pending = get(stopped, 'hot');
  });
  const since = performance.now();
  let over = false;
  const asking = askForHot(clientsOfHot, () => over);
  try {
    const free: string[] = [];
    for (const key of ['large', ...others]) if (await isWhole(other, key)) free.push(key);
    assert.ok(free.length > otherCount - maxInOneShard, `only ${free.length} keys are served`);
    await isRefused(other);
    while (performance.now() - since < stoppedMs) {
      const asked = performance.now();
      assert.equal((await other.ask('GET', '/livez')).status, 200);
      const tookMs = performance.now() - asked;
      assert.ok(tookMs < promptMs, `/livez took ${tookMs} ms`);
      await useOtherShards(other, free.slice(0, usedCount));
    }
  } finally {
    process.kill(pids[0], 'SIGCONT');
    over = true;
  }
  for (const seen of await asking) {
    // A request in flight when the worker continued may succeed.
    assert.deepEqual(
      [...seen].filter((status) => status !== 200 && status !== 503),
      [],
    );
    assert.ok(seen.has(503));
  }
  assert.equal((await pending)?.body, textOf('hot'));
}

describe(`a worker that stops inside a lock, ${stops} ${stops === 1 ? 'time' : 'times'}`, () => {
  it('blocks one shard of the other worker, and no object is lost when it continues', async () => {
    const started = await start(['--heartbeat-ms', '60000']);
    await store(started);
    for (let turn = 0; turn < stops; turn += 1) {
      await stopOnce(started);
      for (const key of ['hot', 'large', ...others]) {
        for (const connection of [started.other, started.stopped]) {
          assert.ok(await isWhole(connection, key), `${key} after ${turn + 1} stops`);
        }
      }
    }
    assert.deepEqual(childrenOf(started.gateway.pid).sort(), [...started.pids].sort());
    assert.deepEqual(started.killed(), []);
    assert.deepEqual(await started.gateway.stop(), { code: 0, signal: null });
  });
});

describe('a worker that stays stopped inside a lock', () => {
  const heartbeatMs = 4000;
  const flags = ['--heartbeat-ms', String(heartbeatMs)];

  it('is killed alone, and the other worker keeps its objects and takes over the lock', async () => {
    const started = await start(flags);
    await store(started);
    const { gateway, pids, stopped, other, clientsOfHot, killed } = started;
    let over = false;
    await stopping.stop(pids[0], () => void get(stopped, 'hot').catch(() => undefined));
    const asking = askForHot(clientsOfHot, () => over);
    await until(() => !isAlive(pids[0]), { deadlineMs: 30_000 });
    await until(async () => (await get(other, 'hot')).status === 404);
    over = true;
    await asking;
    assert.ok(childrenOf(gateway.pid).includes(pids[1]));
    assert.deepEqual(
      killed().map(({ device }) => device),
      [0],
    );
    for (const [at, key] of others.entries()) {
      assert.equal((await get(other, key)).status, at % 2 === 0 ? 404 : 200, key);
    }
  });

  /** Waits for twice the heartbeat limit, and checks that neither worker was killed. */
  async function isSpared(started: Started, release: () => Promise<void>, pending: Pending) {
    const { gateway, pids, clientsOfHot, killed } = started;
    const since = performance.now();
    await askForHot(clientsOfHot, () => performance.now() - since > 2 * heartbeatMs);
    process.kill(pids[0], 'SIGCONT');
    await release();
    assert.equal((await pending.answer)?.status, 200);
    assert.deepEqual(childrenOf(gateway.pid).sort(), [...pids].sort());
    assert.deepEqual(killed(), []);
  }

  async function stopForHot({ pids, stopped }: Started): Promise<Pending> {
    const pending: Pending = { answer: undefined };
    await stopping.stop(pids[0], () => {
      pending.answer = get(stopped, 'hot');
    });
    return pending;
  }

  it('causes no kill when it runs with --inspect', async () => {
    const started = await start(flags, { NODE_OPTIONS: '--inspect=127.0.0.1:0' });
    await store(started);
    await isSpared(started, async () => undefined, await stopForHot(started));
  });

  it('causes no kill when a native debugger holds it', async (t) => {
    const started = await start(flags);
    await store(started);
    const pending = await stopForHot(started);
    const held = await holdProcess(started.pids[0]);
    if (held === undefined) return t.skip('the kernel does not permit ptrace');
    assert.equal(stateOf(started.pids[0]), 't');
    await isSpared(started, held.release, pending);
  });
});
