/** /v1/cluster on an engine that cannot report by itself: its meta service is asked. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type FakeMetaService,
  failure,
  json,
  type Play,
  silent,
  startMetaService,
  text,
} from '../../fixtures/meta-service.ts';
import { injectingLibrary } from '../../helpers/engine/injecting.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const gibibyte = 2 ** 30;
const env = { MMC_LOCAL_CONFIG_PATH: 'none' };
let meta: FakeMetaService;
let gateway: ReadyGateway;
before(async () => {
  meta = await startMetaService();
  const args = ['--engine', await injectingLibrary(), '--meta-url', meta.url];
  gateway = await startGateway({ args, env });
});
after(async () => {
  await gateway.kill();
  await meta.close();
});

const { request, problem } = requestTo(() => gateway);
const report = async (what: string): Promise<unknown> => {
  const { status, body } = await request('GET', what, {}, '/v1/cluster/');
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString());
};
const refusal = (what: string) =>
  problem('GET', what, 503, 'meta-service-unavailable', {}, '/v1/cluster/');

/** Waits until the gateway has forgotten what it asked before. */
async function play(answers: Readonly<Record<string, Play>>): Promise<void> {
  meta.play(answers);
  const paths = ['/health', '/metrics', '/api/v1/capacity/usage'];
  // The segments are queried one by one only where the metrics do not have them.
  if (answers['/metrics'] !== undefined) paths.push('/get_all_segments');
  const before = paths.map((path) => meta.requests(path));
  await until(async () => {
    for (const what of ['health', 'segments', 'capacity']) {
      await request('GET', what, {}, '/v1/cluster/');
    }
    return paths.every((path, at) => meta.requests(path) > (before[at] ?? 0));
  });
}

const media = {
  hbm: { medium: 'HBM', totalBytes: 2 * gibibyte, usedBytes: 4096, freeBytes: 2 * gibibyte - 4096 },
  dram: {
    medium: 'DRAM',
    totalBytes: 4 * gibibyte,
    usedBytes: 8192,
    freeBytes: 4 * gibibyte - 8192,
  },
  ssd: { medium: 'SSD', totalBytes: 8 * gibibyte, usedBytes: 0, freeBytes: 8 * gibibyte },
};
const all = { media: [media.hbm, media.dram, media.ssd], objects: 42, evictions: 3 };

describe('/v1/cluster with a meta service', () => {
  it('reports capacity, segments and health', async () => {
    await play({});
    assert.deepEqual(await report('capacity'), all);
    assert.deepEqual(await report('segments'), {
      segments: [
        { serviceId: 0, medium: 'DRAM', totalBytes: 2 * gibibyte, usedBytes: 8192 },
        { serviceId: 0, medium: 'HBM', totalBytes: 2 * gibibyte, usedBytes: 4096 },
        { serviceId: 1, medium: 'DRAM', totalBytes: 2 * gibibyte, usedBytes: 0 },
      ],
    });
    assert.deepEqual(await report('health'), {
      status: 'ok',
      metaService: {
        ...{ reachable: true, role: 'leader', haState: 'serving', serviceReady: true },
        viewVersion: 7,
      },
    });
  });

  it('asks at most once a second, however often it is asked', async () => {
    await play({});
    const before = meta.requests('/health');
    const since = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => report('health')));
    const windows = Math.floor((performance.now() - since) / 1000) + 1;
    assert.ok(meta.requests('/health') - before <= windows);
  });

  it('leaves out what the meta service does not know', async () => {
    await play({ '/metrics': failure('not now') });
    assert.deepEqual(await report('capacity'), { media: [media.hbm, media.dram] });
    const segment = { serviceId: 0, totalBytes: gibibyte, usedBytes: 512 };
    assert.deepEqual(await report('segments'), {
      segments: [
        { ...segment, medium: 'DRAM' },
        { ...segment, medium: 'HBM' },
      ],
    });
    await play({ '/api/v1/capacity/usage': json({ data_source_ready: false }) });
    assert.deepEqual(await report('capacity'), all);
    await play({ '/health': json({ status: 'ok', role: 'unknown', service_ready: false }) });
    assert.deepEqual(await report('health'), {
      status: 'degraded',
      metaService: { reachable: true, serviceReady: false },
    });
    await play({ '/health': text('OK') });
    assert.deepEqual(await report('health'), { status: 'ok', metaService: { reachable: true } });
  });

  it('responds with a problem if the meta service is silent, fails, or sends nonsense', async () => {
    const everywhere = (answer: Play) =>
      Object.fromEntries(
        ['/health', '/metrics', '/api/v1/capacity/usage', '/get_all_segments'].map((path) => [
          path,
          answer,
        ]),
      );
    for (const [answer, reason] of [
      [silent, /no complete response in 1000 ms/],
      [failure('the\nreason'), /responds with a failure: the\uFFFDreason/],
      [(response) => void response.writeHead(404).end(), /responds with 404/],
      [(response) => void response.destroy(), /socket hang up|closed the connection|ECONNRESET/],
      [text('x'.repeat(5 << 20)), /too long/],
    ] as [Play, RegExp][]) {
      await play(everywhere(answer));
      for (const what of ['health', 'segments', 'capacity']) {
        const { json } = await refusal(what);
        assert.match(String(json['detail']), reason);
        assert.deepEqual(json['metaService'], { reachable: false });
      }
    }
    await play(everywhere(text('{"nonsense":[]}')));
    await refusal('capacity');
    await refusal('segments');
  });

  it('asks for each segment once, within the deadline of one request', async () => {
    const listed = (count: number) =>
      text(
        Array.from({ length: count }, (_, at) => `rank-${at % 2}-dram\nrank-${at}-dram\n`).join(''),
      );
    const only = (answer: Play, segment: Play) => ({
      '/metrics': failure('none'),
      '/get_all_segments': answer,
      '/query_segment': segment,
    });
    const one = json({ cpu: 0, total_bytes: 10, used_bytes: 1 });
    await play(only(listed(20), one));
    const { segments } = (await report('segments')) as { segments: unknown[] };
    assert.equal(segments.length, 20);
    await play(only(listed(2000), (response) => void setTimeout(() => response.destroy(), 900)));
    assert.match(String((await refusal('segments')).json['detail']), /not report/);
    await play(
      only(
        listed(2000),
        (response, query) => void setTimeout(() => void one(response, query), 300),
      ),
    );
    assert.match(
      String((await refusal('segments')).json['detail']),
      /no complete response in \d+ ms/,
    );
    await play(only(listed(5000), one));
    assert.match(String((await refusal('segments')).json['detail']), /too many segments/);
  });

  it('is in the metrics, without samples while the meta service fails', async () => {
    await play({});
    const found = await metricsOf(gateway.url);
    const pool = 'memcache_gateway_pool_';
    assert.equal(found.get(`${pool}up`), 1);
    assert.equal(found.get(`${pool}objects`), 42);
    assert.equal(found.get(`${pool}evictions_total`), 3);
    assert.equal(found.get(`${pool}capacity_bytes{medium="SSD"}`), 8 * gibibyte);
    await play({ '/metrics': silent, '/api/v1/capacity/usage': silent });
    const failing = await metricsOf(gateway.url);
    assert.equal(failing.get(`${pool}up`), 0);
    assert.equal(failing.has(`${pool}objects`), false);
    assert.ok([...failing.keys()].some((name) => name.startsWith('memcache_gateway_arena_bytes')));
  });

  it('allows GET and HEAD, and no parameters', async () => {
    await play({});
    for (const what of ['health', 'segments', 'capacity']) {
      assert.equal((await request('HEAD', what, {}, '/v1/cluster/')).status, 200);
      await problem('POST', what, 405, 'method-not-allowed', {}, '/v1/cluster/');
      await problem('GET', `${what}?x=1`, 400, 'invalid-parameter', {}, '/v1/cluster/');
    }
  });

  it('responds with a problem if the meta service has ended', async () => {
    await meta.close();
    await until(async () => (await request('GET', 'health', {}, '/v1/cluster/')).status === 503);
    const { json } = await refusal('health');
    assert.match(String(json['detail']), /ECONNREFUSED/);
  });
});

describe('without a meta service', () => {
  it('an engine that cannot report gets 501, with the setting to make', async () => {
    const other = await startGateway({ args: ['--engine', await injectingLibrary()], env });
    try {
      const { problem } = requestTo(() => other);
      for (const what of ['cluster/health', 'cluster/segments', 'cluster/capacity', 'keys']) {
        const { json } = await problem('GET', what, 501, 'no-pool-source', {}, '/v1/');
        assert.match(String(json['detail']), /--meta-url/);
      }
      const names = [...(await metricsOf(other.url)).keys()];
      assert.ok(!names.some((name) => name.startsWith('memcache_gateway_pool_')));
    } finally {
      await other.kill();
    }
  });
});
