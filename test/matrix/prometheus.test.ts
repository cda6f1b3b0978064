/** A real Prometheus scrapes a gateway with two workers, as docs/getting-started.md says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import {
  checkConfig,
  checkMetrics,
  type Prometheus,
  type Sample,
  startPrometheus,
} from '../helpers/http/prometheus.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { root } from '../helpers/process/packed.ts';
import { until } from '../helpers/process/until.ts';

const page = readFileSync(path.join(root, 'docs/getting-started.md'), 'utf8');
const blockOf = (language: string): string => {
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1];
  assert.ok(found !== undefined, `the page has no block of ${language}`);
  return found;
};
const documented = blockOf('yaml');

interface ScrapeConfig {
  scrape_interval: string;
  static_configs: { targets: string[] }[];
}

/** The configuration of the page, for this gateway and with more scrapes. */
function configFor(port: number): string {
  const config = parse(documented) as { scrape_configs: ScrapeConfig[] };
  assert.equal(config.scrape_configs.length, 1);
  for (const job of config.scrape_configs) {
    job.scrape_interval = '1s';
    job.static_configs = [{ targets: [`127.0.0.1:${port}`] }];
  }
  return stringify(config);
}

const objectRequests =
  'sum(http_server_request_duration_seconds_count{http_route="/v1/objects/{key}"})';
const restarts = 'sum(memcache_gateway_worker_restarts_total)';
const workersUp = 'sum(memcache_gateway_worker_up)';

interface Family {
  readonly type: string;
  readonly help: string;
}

/** The families of /metrics by their names. */
function familiesIn(text: string): Map<string, Family> {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, n = '', h]) => [n, h]));
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Map(
    types.map(([, name = '', type = '']) => [name, { type, help: helps.get(name) ?? '' }]),
  );
}

/** The names under which the samples of a family are stored. */
const seriesOf = (name: string, type: string): string[] =>
  type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name];

describe('Prometheus', { timeout: 200_000 }, () => {
  let gateway: ReadyGateway;
  let prometheus: Prometheus;
  before(async () => {
    gateway = await startGateway({ args: ['--devices', '0-1', '--ready-when', 'all'] });
    prometheus = await startPrometheus(configFor(gateway.port));
  });
  after(async () => {
    // Without Prometheus, the first hook fails after the gateway has started.
    await (prometheus as Prometheus | undefined)?.stop();
    await gateway.kill();
  });

  const scrape = async () => (await fetch(`${gateway.url}/metrics`)).text();
  /** The value of a query with one sample; NaN without one. */
  const sampleOf = async (query: string) => (await prometheus.query(query))[0]?.value ?? Number.NaN;
  const untilValue = (query: string, wanted: (value: number) => boolean) =>
    until(async () => wanted(await sampleOf(query)), { what: `${query} as expected` });

  let keys = 0;
  /** Stores and reads an object. The gateway is not busy, so both must succeed. */
  async function storeAndRead(): Promise<void> {
    const url = `${gateway.url}/v1/objects/scraped-${keys++}`;
    const put = await fetch(url, { method: 'PUT', body: 'value' });
    assert.equal(put.status, 201, await put.text());
    const get = await fetch(url);
    assert.equal(await get.text(), 'value');
  }

  /** Reads a value that is larger than the buffers of a connection, and disconnects after its first bytes. */
  async function leaveDuringResponse(): Promise<void> {
    const url = `${gateway.url}/v1/objects/large`;
    const put = await fetch(url, { method: 'PUT', body: Buffer.alloc(8 << 20) });
    assert.equal(put.status, 201, await put.text());
    // All of it may be on its way before the client disconnects.
    await until(async () => {
      const reader = (await fetch(url)).body?.getReader();
      await reader?.read();
      await reader?.cancel();
      return /^memcache_gateway_client_disconnects_total\{/m.test(await scrape());
    });
  }

  /** The counters that Prometheus has seen fall, and how often. */
  async function fallenCounters(): Promise<string[]> {
    const fallen: string[] = [];
    for (const [name, { type }] of familiesIn(await scrape())) {
      if (type === 'gauge') continue;
      for (const series of seriesOf(name, type)) {
        const found: readonly Sample[] = await prometheus.query(`resets(${series}[1h]) > 0`);
        fallen.push(...found.map(({ labels }) => `${series} ${JSON.stringify(labels)}`));
      }
    }
    return fallen;
  }

  it('accepts the documented configuration and reaches the gateway with it', async () => {
    checkConfig(documented);
    await untilValue('up', (value) => value === 1);
    const { activeTargets } = (await prometheus.api('targets')) as {
      activeTargets: { scrapeUrl: string; health: string; lastError: string }[];
    };
    assert.deepEqual(
      activeTargets.map(({ scrapeUrl, health, lastError }) => [scrapeUrl, health, lastError]),
      [[`${gateway.url}/metrics`, 'up', '']],
    );
  });

  it('counts each request once', async () => {
    await storeAndRead();
    await untilValue(objectRequests, (value) => value === 2);
    for (let n = 0; n < 20; n += 1) await storeAndRead();
    await untilValue(objectRequests, (value) => value === 42);
    assert.ok((await sampleOf(`rate(${objectRequests.slice(4, -1)}[1m])`)) > 0);
  });

  it('sees no counter fall when a worker is killed', async () => {
    const [victim = 0] = childrenOf(gateway.pid);
    process.kill(victim, 'SIGKILL');
    await untilValue(restarts, (value) => value === 1);
    await untilValue(workersUp, (value) => value === 2);
    assert.deepEqual(await fallenCounters(), []);
    await storeAndRead();
    await untilValue(objectRequests, (value) => value === 44);
  });

  it('sees no counter fall when all workers are killed at the same time', async () => {
    for (const worker of childrenOf(gateway.pid)) process.kill(worker, 'SIGKILL');
    const statusNow = () => fetch(`${gateway.url}/v1/objects/x`).then(({ status }) => status);
    // The first connection may reach a worker that is about to end.
    await until(async () => (await statusNow().catch(() => 0)) === 503);
    await untilValue(restarts, (value) => value === 3);
    await untilValue(workersUp, (value) => value === 2);
    assert.deepEqual(await fallenCounters(), []);
  });

  it('stores every metric under its name, with its type, its help and samples', async () => {
    // Some metrics have no sample before something fails.
    await leaveDuringResponse();
    await until(async () => (await fetch(`${gateway.url}/v1/objects/absent`)).status === 404);
    const body = JSON.stringify({ keys: ['absent'] });
    const headers = { 'Content-Type': 'application/json' };
    await fetch(`${gateway.url}/v1/batch/get`, { method: 'POST', body, headers });
    const families = familiesIn(await scrape());
    assert.ok(families.size > 40, `${families.size}`);
    const wanted = [...families].flatMap(([name, { type }]) => seriesOf(name, type));
    let stored: string[] = [];
    const missing = async () => {
      stored = (await prometheus.api('label/__name__/values')) as string[];
      return wanted.filter((name) => !stored.includes(name));
    };
    await until(async () => (await missing()).length === 0).catch(async () => {
      assert.deepEqual(await missing(), [], 'metrics without samples');
    });
    const metadata = (await prometheus.api('metadata')) as Record<string, Family[]>;
    for (const [name, { type, help }] of families) {
      assert.deepEqual(
        metadata[name]?.map((each) => [each.type, each.help]),
        [[type, help]],
        name,
      );
    }
  });

  it('finds no fault in the names, units and texts of the metrics', async () => {
    checkMetrics(await scrape());
  });

  it('evaluates the documented queries', async () => {
    const queries = blockOf('promql')
      .split('\n')
      .filter((line) => /^[^#]/.test(line));
    assert.ok(queries.length > 3);
    for (const query of queries) {
      const samples = await prometheus.query(query);
      assert.ok(samples.length > 0, `no result: ${query}`);
      for (const { value } of samples) assert.ok(value >= 0, `${value}: ${query}`);
    }
  });

  it('scrapes in a fraction of a second', async (t) => {
    const seconds = await sampleOf('quantile_over_time(0.5, scrape_duration_seconds[1h])');
    t.diagnostic(`half of the scrapes took at most ${seconds} s`);
    // A busy machine takes longer; a gateway that waits for a worker would take 2 s.
    assert.ok(seconds < 0.5, `${seconds} s`);
  });
});
