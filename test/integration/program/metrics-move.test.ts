/** Causes what the metrics count that no other test causes (test/unit/metrics/every-metric.test.ts). */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import {
  createInjection,
  dataFunctions,
  type Injection,
  injectingLibrary,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import {
  type GatewayProcess,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

let injection: Injection;
let running: ReadyGateway | undefined;
const gateway = () => running ?? assert.fail('not started');
before(async () => {
  injection = createInjection();
  const engine = ['--engine', await injectingLibrary()];
  const limits = ['--call-slots', '4', '--deadline-ms', '1000', '--put-wait-ms', '3000'];
  running = await startGateway({ args: [...engine, ...limits], env: injection.env });
});
after(async () => {
  await running?.kill();
  injection.dispose();
});

const { request, store, newKey } = requestTo(gateway);
const { batch, post } = batchesOf(gateway);

const now = () => metricsOf(gateway().url);
const named = (name: string) => `memcache_gateway_${name}`;

/** How much the metrics grow during `work`; those that do not change are left out. */
async function growth(work: () => Promise<unknown>): Promise<Map<string, number>> {
  const earlier = await now();
  await work();
  const later = await now();
  const grown = [...later].map(
    ([name, value]) => [name, value - (earlier.get(name) ?? 0)] as const,
  );
  return new Map(grown.filter(([, by]) => by !== 0));
}

const item = (route: string, operation: string, outcome: string) =>
  named(`items_total{http_route="${route}",operation="${operation}",outcome="${outcome}"}`);
const onlyItems = (grown: Map<string, number>) =>
  Object.fromEntries([...grown].filter(([name]) => name.startsWith(named('items_total'))));

describe('memcache_gateway_items_total', () => {
  it('counts each single request by operation and outcome', async () => {
    const key = await store('abc');
    const objects = '/v1/objects/{key}';
    const grown = await growth(async () => {
      await request('GET', key);
      await request('GET', key, { headers: { Range: 'bytes=0-0' } });
      await request('GET', newKey('missing'));
      await request('HEAD', key);
      await request('PUT', key, { body: 'again' });
      await request('PUT', newKey('new'), { body: 'new' });
      await request('GET', key, {}, '/v1/info/');
      await request('GET', `${key}?sizes=3`, {}, '/v1/layers/');
      await request('GET', `${key}?sizes=4`, {}, '/v1/layers/');
      await request('DELETE', key);
      await request('DELETE', key);
      await request('POST', key);
    });
    assert.deepEqual(onlyItems(grown), {
      [item(objects, 'get', 'ok')]: 2,
      [item(objects, 'get', 'object-not-found')]: 1,
      [item(objects, 'info', 'ok')]: 1,
      [item(objects, 'put', 'object-exists')]: 1,
      [item(objects, 'put', 'ok')]: 1,
      [item('/v1/info/{key}', 'info', 'ok')]: 1,
      [item('/v1/layers/{key}', 'get', 'ok')]: 1,
      [item('/v1/layers/{key}', 'get', 'layers-mismatch')]: 1,
      [item(objects, 'remove', 'ok')]: 1,
      [item(objects, 'remove', 'object-not-found')]: 1,
    });
    assert.equal(grown.get(named('problems_total{problem="object-not-found"}')), 2);
    assert.equal(grown.get(named('problems_total{problem="method-not-allowed"}')), 1);
  });

  it('counts each item of a batch', async () => {
    const keys = [await store('a'), await store('b'), newKey('missing')];
    const put = [newKey('x'), newKey('y')].map((key) => ({ key, value: 'aGk=' }));
    const grown = await growth(async () => {
      await batch('put', { items: [...put, ...put.slice(0, 1)] });
      for (const operation of ['get', 'exists', 'info', 'remove'] as const) {
        await batch(operation, { keys });
      }
    });
    const of = (operation: string, outcome: string) =>
      item(`/v1/batch/${operation}`, operation, outcome);
    assert.deepEqual(onlyItems(grown), {
      [of('put', 'ok')]: 2,
      [of('put', 'object-exists')]: 1,
      [of('get', 'ok')]: 2,
      [of('get', 'object-not-found')]: 1,
      [of('exists', 'ok')]: 3,
      [of('info', 'ok')]: 2,
      [of('info', 'object-not-found')]: 1,
      [of('remove', 'ok')]: 2,
      [of('remove', 'object-not-found')]: 1,
    });
  });

  it('counts the keys that a request for leading keys has checked', async () => {
    const keys = [await store('a'), newKey('missing'), newKey('behind')];
    const leading = (given: string[]) =>
      post('exists', JSON.stringify({ keys: given, until: 'missing' }));
    const ok = item('/v1/batch/exists', 'exists', 'ok');
    assert.deepEqual(onlyItems(await growth(() => leading(keys))), { [ok]: 2 });
    assert.deepEqual(onlyItems(await growth(() => leading(keys.slice(0, 1)))), { [ok]: 1 });
  });

  it('counts all items of a batch that fails as a whole, and none of one that is refused unread', async () => {
    const keys = Array.from({ length: 5 }, () => newKey('k'));
    const duplicates = JSON.stringify({ keys: [...keys, keys[0]] });
    const tensors = { accept: 'application/vnd.safetensors', 'content-type': 'application/json' };
    const refused = await growth(() => post('get', duplicates, tensors));
    assert.deepEqual(onlyItems(refused), { [item('/v1/batch/get', 'get', 'invalid-body')]: 6 });
    assert.deepEqual(onlyItems(await growth(() => post('get', '{"keys":7}'))), {});
  });

  it('counts the item of a client that disconnected before it had a response', async () => {
    const inFlight = named('engine_calls{state="in_flight"}');
    const aborted = item('/v1/objects/{key}', 'get', 'aborted');
    const grown = await growth(() =>
      underRules(injection, gateway().url, [{ on: dataFunctions, hang: true }], async () => {
        const { send, socket } = await connectRaw(gateway().port);
        send(requestHead('GET', '/v1/objects/gone'));
        await until(async () => (await now()).get(inFlight) === 1);
        socket.resetAndDestroy();
        await until(async () => ((await now()).get(aborted) ?? 0) > 0);
      }),
    );
    assert.equal(grown.get(aborted), 1);
  });
});

describe('the metrics of the store', () => {
  it('show coalesced operations, and those that wait', async () => {
    const grown = await growth(async () => {
      await underRules(injection, gateway().url, [{ on: dataFunctions, hang: true }], async () => {
        const asked = Promise.all(Array.from({ length: 12 }, () => request('HEAD', newKey('k'))));
        await until(async () => ((await now()).get(named('coalescing_waiting')) ?? 0) > 0);
        await injection.clear();
        await asked;
      });
    });
    assert.equal((await now()).get(named('coalescing_waiting')), 0);
    assert.equal(grown.get(named('coalesced_keys_total')), 12);
    const calls = grown.get(named('coalesced_calls_total')) ?? 0;
    assert.ok(calls >= 1 && calls < 12, String(calls));
  });

  it('show reads with a remembered size, and sizes that were stale', async () => {
    const earlier = (await now()).get(named('known_sizes')) ?? 0;
    const key = await store('four');
    assert.equal((await now()).get(named('known_sizes')), earlier + 1);
    const grown = await growth(async () => {
      await request('GET', key);
      // The engine answers -1 to a read of another size than the object's.
      await underRules(
        injection,
        gateway().url,
        [{ on: ['get', 'batch_get'], code: -1, first: 1 }],
        () => request('GET', key),
      );
    });
    assert.equal(grown.get(named('sized_reads_total')), 2);
    assert.equal(grown.get(named('stale_sizes_total')), 1);
  });

  it('show puts that wait for room in a full pool', async () => {
    const waiters = named('room_waiters');
    const rules = [{ on: ['put', 'batch_put'] as const, code: -3013 }];
    const grown = await growth(() =>
      underRules(injection, gateway().url, rules, async () => {
        const put = request('PUT', newKey('full'), { body: 'x' });
        await until(async () => (await now()).get(waiters) === 1);
        await injection.clear();
        assert.equal((await put).status, 201);
      }),
    );
    assert.equal(grown.get(named('room_waits_total')), 1);
    assert.equal((await now()).get(waiters), 0);
  });
});

describe('the metrics of the engine and its pool', () => {
  it('show calls by operation and code, and the slots', async () => {
    const grown = await growth(() => request('GET', newKey('missing')));
    const calls = [...grown].filter(([name]) =>
      name.startsWith(named('engine_call_duration_seconds_count{operation="')),
    );
    assert.deepEqual(
      calls.map(([, by]) => by),
      [1],
      JSON.stringify(calls),
    );
    assert.equal((await now()).get(named('engine_call_slots')), 4);
  });

  it('show that the circuit is open while calls hang', async () => {
    const open = named('circuit_open');
    assert.equal((await now()).get(open), 0);
    await underRules(injection, gateway().url, [{ on: dataFunctions, hang: true }], async () => {
      const asked = Array.from({ length: 8 }, () => request('GET', newKey('k')));
      await until(async () => (await now()).get(open) === 1);
      await Promise.allSettled(asked);
    });
    await until(async () => (await now()).get(open) === 0);
  });
});

describe('the metrics of the pool', () => {
  it('grow with an object', async () => {
    const own = await startGateway();
    const figures = async () => {
      const all = await metricsOf(own.url);
      const of = (name: string) =>
        all.get(named(`pool_${name}`)) ?? assert.fail(`no metric pool_${name}`);
      const [used, free] = [of('used_bytes{medium="DRAM"}'), of('free_bytes{medium="DRAM"}')];
      return { used, free, capacity: of('capacity_bytes{medium="DRAM"}'), objects: of('objects') };
    };
    const earlier = await figures();
    assert.equal(earlier.used + earlier.free, earlier.capacity);
    await fetch(`${own.url}/v1/objects/k`, { method: 'PUT', body: 'x'.repeat(100_000) });
    // The figures are at most a second old.
    await until(async () => (await figures()).objects === earlier.objects + 1);
    const later = await figures();
    assert.ok(later.used > earlier.used && later.free < earlier.free, JSON.stringify(later));
    const all = await metricsOf(own.url);
    assert.equal(all.get(named('pool_up')), 1);
    assert.ok((all.get(named('text_limit_bytes')) ?? 0) > 1e6);
    await own.kill();
  });
});

describe('the metrics of requests', () => {
  it('count the bytes and the duration of a PUT', async () => {
    const grown = await growth(() => request('PUT', newKey('bytes'), { body: 'x'.repeat(1000) }));
    assert.equal(grown.get(named('http_received_bytes_total')), 1000);
    const labels =
      '{http_request_method="PUT",http_route="/v1/objects/{key}",http_response_status_code="201"}';
    assert.equal(grown.get(`http_server_request_duration_seconds_count${labels}`), 1);
  });
});

describe('the metrics of the processes', () => {
  it('show the descriptors that connections take in a worker', async () => {
    const name = named('worker_descriptors_ratio{device="0"}');
    const earlier = (await now()).get(name) ?? assert.fail(`no metric ${name}`);
    assert.ok(earlier > 0 && earlier < 0.5, String(earlier));
    const sockets = Array.from({ length: 20 }, () => connect(gateway().port, '127.0.0.1'));
    await until(async () => ((await now()).get(name) ?? 0) > earlier);
    for (const socket of sockets) socket.destroy();
    assert.ok(((await now()).get(named('supervisor_descriptors_ratio')) ?? 0) > 0);
    assert.equal((await now()).get(named('workers{state="ready"}')), 1);
  });

  it('show what the supervisor serves while no worker is ready', async () => {
    const failing = createInjection([{ on: 'init', code: -3000 }]);
    const args = ['--engine', await injectingLibrary(), '--log-level', 'debug'];
    const without: GatewayProcess = spawnGateway({ args, env: failing.env });
    const port = () => without.logged().find((line) => 'port' in line)?.['port'];
    await until(() => port() !== undefined, { deadlineMs: 30_000 });
    const url = `http://127.0.0.1:${Number(port())}`;
    assert.equal((await fetch(`${url}/v1/objects/k`)).status, 503);
    const all = await metricsOf(url);
    // This request and the one for the metrics, whose response is not sent yet.
    assert.equal(all.get(named('fallback_connections_total')), 2);
    assert.equal(all.get(named('fallback_responses_total{status="503"}')), 1);
    assert.equal(all.get(named('workers{state="ready"}')), 0);
    assert.equal(all.get(named('worker_up{device="0"}')), 0);
    await without.kill();
    failing.dispose();
  });
});
