/** Two devices, two workers, one port. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type OwnConnection, openOwnConnection } from '../../helpers/http/own-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

let gateway: ReadyGateway;
const connections: OwnConnection[] = [];
before(async () => {
  gateway = await startGateway({
    args: [
      '--devices',
      '3,5',
      '--ready-when',
      'all',
      '--pool-bytes',
      '32MiB',
      '--arena-bytes',
      '64MiB',
    ],
  });
});
after(async () => {
  for (const connection of connections) connection.close();
  await gateway.kill();
});

function connect(): OwnConnection {
  const connection = openOwnConnection(gateway.url);
  connections.push(connection);
  return connection;
}

/** A connection to the worker of each device. */
async function connectToBoth(): Promise<[OwnConnection, OwnConnection]> {
  const found = new Map<number, OwnConnection>();
  // A worker that is busy for a moment gets its connections later.
  await until(async () => {
    const connection = connect();
    found.set(await connection.device(), connection);
    return found.size === 2;
  });
  return [
    found.get(3) ?? assert.fail('no connection to device 3'),
    found.get(5) ?? assert.fail('no connection to device 5'),
  ];
}

interface Clients {
  readonly clients: readonly Record<string, unknown>[];
}

const jsonOf = async <T>(path: string): Promise<T> => {
  const { status, body } = await requestChecked(gateway.url, { path });
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString()) as T;
};

describe('a gateway of two devices', () => {
  it('logs which devices are ready, and that none is still starting', () => {
    const { devices, serviceIds, starting } = gateway.ready;
    assert.deepEqual(devices, [3, 5]);
    assert.deepEqual([...(serviceIds as number[])].sort(), [0, 1]);
    assert.equal(starting, 0);
  });

  it('has a process for each device, and gives the connections to them in turn', async () => {
    assert.equal(childrenOf(gateway.pid).length, 2);
    // A worker that has just become ready is still loading code, and may be skipped.
    const loaded = new Set<number>();
    await until(async () => loaded.add(await connect().device()).size === 2);
    // Each may be one connection ahead, unless a busy machine stops the other for half a second.
    const share = await lowestOf(5, 0.26, async () => {
      const devices = [];
      for (let i = 0; i < 4; i++) devices.push(await connect().device());
      return Math.abs(devices.filter((device) => device === 3).length / 4 - 0.5);
    });
    assert.ok(share < 0.26, `the share differs by ${share}`);
  });

  it('reads and removes through one worker an object that was put through the other', async () => {
    const [three, five] = await connectToBoth();
    for (const [writer, reader] of [
      [three, five],
      [five, three],
    ] as const) {
      assert.equal((await writer.ask('PUT', '/v1/objects/shared', 'a value')).status, 201);
      const { status, body } = await reader.ask('GET', '/v1/objects/shared');
      assert.deepEqual([status, body], [200, 'a value']);
      assert.equal((await reader.ask('DELETE', '/v1/objects/shared')).status, 204);
      assert.equal((await writer.ask('GET', '/v1/objects/shared')).status, 404);
    }
  });

  it('spreads 200 connections in bursts of 50 evenly, within a tenth', async () => {
    const difference = await lowestOf(5, 11, async () => {
      const all = [];
      const devices: number[] = [];
      for (let burst = 0; burst < 4; burst++) {
        const some = Array.from({ length: 50 }, connect);
        devices.push(...(await Promise.all(some.map((connection) => connection.device()))));
        all.push(...some);
      }
      for (const connection of all) connection.close();
      return Math.abs(devices.filter((device) => device === 3).length - 100);
    });
    assert.ok(difference <= 10, `${difference} of 200`);
  });

  it('stores two replicas of an object that one device alone could not hold twice', async () => {
    const { request, problem } = requestTo(() => gateway);
    const body = Buffer.alloc(20 * 2 ** 20, 1);
    assert.equal((await request('PUT', 'twice?replicas=2', { body })).status, 201);
    assert.equal((await request('DELETE', 'twice')).status, 204);
    await problem('PUT', 'thrice?replicas=3', 422, 'placement-impossible', { body });
  });

  it('refuses early an object that fits no single device, though it fits all together', async () => {
    const { problem } = requestTo(() => gateway);
    const body = Buffer.alloc(33 * 2 ** 20);
    const { json } = await problem('PUT', 'large', 413, 'pool-too-small', { body });
    assert.equal(json['limitBytes'], 32 * 2 ** 20);
    assert.match(String(json['detail']), /that a device contributes to the pool/);
  });
});

describe('/v1/clients', () => {
  it('is the same from every worker', async () => {
    const answers = [];
    for (const connection of await connectToBoth()) {
      const { status, body } = await connection.ask('GET', '/v1/clients');
      assert.equal(status, 200);
      const { clients } = JSON.parse(body) as Clients;
      answers.push(clients.map(({ uptimeMs, ...rest }) => ({ ...rest, up: Number(uptimeMs) > 0 })));
    }
    assert.deepEqual(answers[0], answers[1]);
    const { clients } = await jsonOf<Clients>('/v1/clients');
    assert.deepEqual(
      clients.map(({ device, state, restarts }) => [device, state, restarts]),
      [
        [3, 'ready', 0],
        [5, 'ready', 0],
      ],
    );
    const pids = clients.map(({ pid }) => Number(pid));
    assert.deepEqual([...pids].sort(), childrenOf(gateway.pid).sort());
    assert.deepEqual(clients.map(({ serviceId }) => serviceId).sort(), [0, 1]);
  });

  it('allows GET and HEAD, and no parameters', async () => {
    const { problem, request } = requestTo(() => gateway);
    assert.equal((await request('HEAD', '', {}, '/v1/clients')).status, 200);
    await problem('POST', '', 405, 'method-not-allowed', {}, '/v1/clients');
    await problem('GET', '?verbose', 400, 'invalid-parameter', {}, '/v1/clients');
  });
});

describe('/readyz?verbose', () => {
  it('adds the clients and the number of ready ones', async () => {
    const { clients } = await jsonOf<Clients>('/v1/clients');
    for (const query of ['verbose', 'verbose=true', 'verbose=1']) {
      const reported = await jsonOf<Clients & { detail: string }>(`/readyz?${query}`);
      assert.equal(reported.detail, 'All 2 workers are ready.');
      assert.deepEqual(
        reported.clients.map(({ pid }) => pid),
        clients.map(({ pid }) => pid),
      );
    }
    assert.equal('clients' in (await jsonOf<object>('/readyz?verbose=false')), false);
    const { problem } = requestTo(() => gateway);
    await problem('GET', '?verbose=2', 400, 'invalid-parameter', {}, '/readyz');
  });
});

describe('--ready-when all', () => {
  it('makes the gateway unready while a worker is missing, names it, and serves requests', async () => {
    const { clients } = await jsonOf<Clients>('/v1/clients');
    process.kill(Number(clients[1]?.['pid']), 'SIGKILL');
    let away: Clients & { detail: string } = { clients: [], detail: '' };
    const isReady = async () => {
      const { status, body } = await requestChecked(gateway.url, { path: '/readyz?verbose' });
      if (status === 503) away = JSON.parse(body.toString()) as typeof away;
      return status === 200;
    };
    await until(async () => !(await isReady()));
    assert.match(away.detail, /^1 of 2 workers is ready, and all have to be .*: device 5 \(/);
    assert.deepEqual([away.clients[0]?.['state'], away.clients[1]?.['serviceId']], ['ready', null]);
    const { request } = requestTo(() => gateway);
    assert.equal((await request('PUT', 'meanwhile', { body: 'x' })).status, 201);
    await until(isReady);
    const again = await jsonOf<Clients>('/v1/clients');
    assert.deepEqual(
      again.clients.map(({ restarts }) => restarts),
      [0, 1],
    );
  });
});

describe('the metrics of two workers', () => {
  it('are added up, and only those about a single worker name its device', async () => {
    const both = await connectToBoth();
    const route = 'http_route="/v1/objects/{key}",http_response_status_code="404"';
    const count = `http_server_request_duration_seconds_count{http_request_method="GET",${route}}`;
    const before = (await metricsOf(gateway.url)).get(count) ?? 0;
    for (const [index, connection] of both.entries()) {
      for (let i = 0; i < 3 + index; i++) {
        assert.equal((await connection.ask('GET', '/v1/objects/nothing')).status, 404);
      }
    }
    const samples = await metricsOf(gateway.url);
    assert.equal(samples.get(count), before + 7);
    const arena = ['used', 'free'].map((state) =>
      samples.get(`memcache_gateway_arena_bytes{state="${state}"}`),
    );
    assert.equal(Number(arena[0]) + Number(arena[1]), 2 * 64 * 2 ** 20);
    for (const device of [3, 5]) {
      assert.equal(samples.get(`memcache_gateway_worker_up{device="${device}"}`), 1);
    }
    const labelled = [...samples.keys()].filter((name) => name.includes('device='));
    const names = new Set(labelled.map((name) => name.slice(0, name.indexOf('{'))));
    assert.ok([...names].every((name) => name.startsWith('memcache_gateway_worker_')));
  });

  it('do not add versions, start times and lags', async () => {
    const samples = await metricsOf(gateway.url);
    const version = [...samples].filter(([name]) => name.startsWith('nodejs_version_info'));
    assert.deepEqual(
      version.map(([, value]) => value),
      [1],
    );
    const now = Date.now() / 1000;
    const start = samples.get('process_start_time_seconds');
    assert.ok(start === undefined || start <= now, `started at ${start}`);
    const lag = samples.get('nodejs_eventloop_lag_seconds');
    assert.ok(lag !== undefined && lag < 10, `lag ${lag}`);
  });
});
