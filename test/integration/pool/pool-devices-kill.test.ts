/** kill -9 of one of two workers, under the load of many clients. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type OwnAnswer,
  type OwnConnection,
  openOwnConnection,
} from '../../helpers/http/own-connection.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const clientCount = 64;
const requestsOfEach = Math.ceil(10_000 / clientCount);
/** The worker is killed after this number of requests, well before the last one. */
const killAfter = 3000;

let gateway: ReadyGateway;
before(async () => {
  gateway = await startGateway({ args: ['--devices', '0-1', '--ready-when', 'all'] });
});
after(() => gateway.kill());

interface Seen {
  done: number;
  /** Connection resets after which a retry succeeded. */
  retried: number;
  readonly faults: string[];
  /** Connections by the device to which they were first assigned. */
  readonly connections: Map<number, number>;
}

const brokenConnection = new Set(['ECONNRESET', 'EPIPE']);

/** Allowed statuses of a first try, and of a retry at a worker that may have lost the object. */
const expected = {
  PUT: { first: [201], again: [201, 409] },
  GET: { first: [200], again: [200, 404] },
  DELETE: { first: [204], again: [204, 404] },
} as const;
type Method = keyof typeof expected;

/** Puts, reads and removes its own objects again and again, on one connection as long as that stays open. */
async function runClient(id: number, victim: number, seen: Seen): Promise<void> {
  const connection = openOwnConnection(gateway.url);
  const device = await connection.device();
  seen.connections.set(device, (seen.connections.get(device) ?? 0) + 1);
  /** Whether the object may be lost with the memory of the dead worker. */
  let doubtful = false;
  for (let n = 0; n < requestsOfEach; n++) {
    const method = (['PUT', 'GET', 'DELETE'] as const)[n % 3] ?? 'GET';
    if (method === 'PUT') doubtful = false;
    const path = `/v1/objects/client-${id}/${Math.floor(n / 3)}`;
    const { answer, broken } = await askTwice(connection, method, path, id);
    // The client may have seen the end of its connection before it sent the request.
    const moved = broken || answer.opened;
    doubtful ||= moved;
    seen.done += 1;
    if (broken) seen.retried += 1;
    if (moved && device !== victim) seen.faults.push(`a connection of device ${device} ended`);
    const { first, again } = expected[method];
    const allowed: readonly number[] = doubtful ? again : first;
    const value = method === 'GET' && answer.status === 200 ? answer.body : undefined;
    if (!allowed.includes(answer.status) || (value ?? textOf(id)) !== textOf(id)) {
      seen.faults.push(`${method} ${path} of device ${device}: ${answer.status} ${answer.body}`);
    }
  }
  connection.close();
}

const textOf = (id: number) => `value of ${id} `.repeat(20);

async function askTwice(
  connection: OwnConnection,
  method: Method,
  path: string,
  id: number,
): Promise<{ answer: OwnAnswer; broken: boolean }> {
  const ask = () => connection.ask(method, path, method === 'PUT' ? textOf(id) : undefined);
  try {
    return { answer: await ask(), broken: false };
  } catch (error) {
    if (!brokenConnection.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return { answer: await ask(), broken: true };
  }
}

describe('a worker that is killed under load', () => {
  it('causes no reset for clients of the other worker, and at most one for each of its own', async (t) => {
    const seen: Seen = { done: 0, retried: 0, faults: [], connections: new Map() };
    const [victimPid = 0] = childrenOf(gateway.pid);
    const victim = await deviceOf(victimPid);
    const load = Promise.all(
      Array.from({ length: clientCount }, (_, id) => runClient(id, victim, seen)),
    );
    load.catch(() => {});
    await until(() => seen.done >= killAfter);
    assert.ok(seen.done < (clientCount * requestsOfEach) / 2);
    const counted = await requestsCounted();
    const killedAt = Date.now();
    process.kill(victimPid, 'SIGKILL');
    await load;
    assert.equal(seen.done, clientCount * requestsOfEach);
    assert.deepEqual(seen.faults, []);
    const each = [...seen.connections.values()];
    assert.ok(each.length === 2 && each.every((count) => count >= 16), String(each));
    assert.ok(seen.retried > 0 && seen.retried <= clientCount, `${seen.retried} resets`);
    // Counters must not fall: Prometheus takes that for a restart and counts the requests again.
    assert.ok((await requestsCounted()) >= counted);
    const again = () => gateway.logged().find(({ msg }) => msg === 'worker is ready again');
    await until(() => again() !== undefined);
    const tookMs = Date.parse(String(again()?.['time'])) - killedAt;
    t.diagnostic(`a new worker was ready after ${tookMs} ms`);
    // On a busy machine every start takes longer, so the limit depends on the first start.
    const maxMs = Math.max(5000, 3 * Number(gateway.ready['startMs']));
    assert.ok(tookMs <= maxMs, `a new worker was ready after ${tookMs} ms`);
    const refused = gateway.logged().filter(({ msg }) => msg === 'no worker for a request');
    assert.deepEqual(refused, []);
  });
});

async function requestsCounted(): Promise<number> {
  const samples = await metricsOf(gateway.url);
  const name = 'http_server_request_duration_seconds_count{';
  const counts = [...samples].filter(([sample]) => sample.startsWith(name));
  return counts.reduce((sum, [, value]) => sum + value, 0);
}

async function deviceOf(pid: number): Promise<number> {
  const { clients } = (await (await fetch(`${gateway.url}/v1/clients`)).json()) as {
    clients: { device: number; pid: number }[];
  };
  const found = clients.find((client) => client.pid === pid);
  assert.ok(found);
  return found.device;
}
