/** A real Prometheus with the rules of deploy/prometheus, and the queries of the dashboard. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { dashboard, queries } from '../helpers/deploy/dashboard.ts';
import { alerts, metricsIn, recordings } from '../helpers/deploy/rules.ts';
import { checkRules, type Prometheus, startPrometheus } from '../helpers/http/prometheus.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { root } from '../helpers/process/packed.ts';
import {
  authorization,
  testToken,
  tokenFolder,
  writeTokens,
} from '../helpers/process/token-files.ts';
import { until } from '../helpers/process/until.ts';
import { certificateFolder, secretVolume } from '../helpers/tls/certificates.ts';

const rulesFile = path.join(root, 'deploy/prometheus/rules.yaml');

/** Stands for a meta service: names of the kind that it uses, with values that grow. */
async function startMetaMetrics(): Promise<Server> {
  let scrapes = 0;
  const server = createServer((_req, res) => {
    scrapes += 1;
    res.end(
      [
        '# TYPE memcache_put_successes_total counter',
        `memcache_put_successes_total ${scrapes}`,
        '# TYPE memcache_get_successes_total counter',
        `memcache_get_successes_total ${2 * scrapes}`,
        '# TYPE memcache_used_bytes gauge',
        'memcache_used_bytes{medium="dram"} 4096',
        '',
      ].join('\n'),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const job = (name: string, port: number) => ({
  job_name: name,
  static_configs: [{ targets: [`127.0.0.1:${port}`] }],
});

describe('the rules and the dashboard', { timeout: 200_000 }, () => {
  const tokens = tokenFolder();
  const reader = testToken();
  const headers = authorization(reader.token);
  const certificates = certificateFolder();
  let gateway: ReadyGateway;
  let meta: Server;
  let prometheus: Prometheus;
  before(async () => {
    // The metrics of the token file exist only with one, those of TLS only with a certificate.
    const file = path.join(tokens.path, 'tokens.json');
    writeTokens(file, [reader]);
    const secret = secretVolume(certificates.path);
    const { cert, key } = certificates.authority().server();
    secret.write({ 'tls.crt': cert, 'tls.key': key });
    gateway = await startGateway({
      args: [
        ...['--devices', '0-1', '--ready-when', 'all', '--token-file', file],
        ...['--listen', '127.0.0.1:0', '--listen', 'tls:127.0.0.1:0'],
        ...['--tls-cert', secret.file('tls.crt'), '--tls-key', secret.file('tls.key')],
      ],
    });
    meta = await startMetaMetrics();
    const metaPort = (meta.address() as AddressInfo).port;
    prometheus = await startPrometheus(
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [rulesFile],
        scrape_configs: [job('memcache-gateway', gateway.port), job('memcache-meta', metaPort)],
      }),
    );
  });
  after(async () => {
    // If the first hook fails, some of them do not exist.
    await (prometheus as Prometheus | undefined)?.stop();
    (meta as Server | undefined)?.close();
    await (gateway as ReadyGateway | undefined)?.kill();
    tokens.remove();
    certificates.remove();
  });

  const countOf = async (query: string) => (await prometheus.query(query)).length;
  const untilFound = (query: string) =>
    until(async () => (await countOf(query)) > 0, { what: `${query} has a result` });

  /** Requests with each kind of result that a chart needs. */
  async function makeTraffic(round: number): Promise<void> {
    const url = `${gateway.url}/v1/objects/charted-${round}`;
    await fetch(url, { method: 'PUT', body: 'value', headers });
    await (await fetch(url, { headers })).text();
    await (await fetch(`${gateway.url}/v1/info/charted-${round}`, { headers })).text();
    await (await fetch(`${gateway.url}/v1/objects/absent`, { headers })).text();
    await (await fetch(`${gateway.url}/v1/objects/absent`)).text();
    await fetch(`${gateway.url}/v1/batch/get`, {
      method: 'POST',
      body: JSON.stringify({ keys: ['absent'] }),
      headers: { ...headers, 'Content-Type': 'application/json' },
    });
  }

  it('pass promtool, with their tests', () => {
    checkRules(rulesFile, path.join(root, 'deploy/prometheus/rules.test.yaml'));
  });

  it('have a result for each query of the dashboard after some traffic', async () => {
    let round = 0;
    await until(async () => {
      await makeTraffic(round++);
      return (await countOf('memcache_gateway:request_duration_seconds:p99_10m')) === 3;
    });
    for (const { name, query } of queries) {
      await until(async () => {
        await makeTraffic(round++);
        const samples = await prometheus.query(query);
        return samples.length > 0 && samples.every(({ value }) => !Number.isNaN(value));
      }).catch(async () => {
        assert.fail(`${name}: ${query} has ${JSON.stringify(await prometheus.query(query))}`);
      });
    }
  });

  it('have a valid query for the annotations and for the variable', async () => {
    for (const { expr } of dashboard.annotations.list) await prometheus.query(expr);
    const [metric = ''] = metricsIn(dashboard.templating.list[1]?.query ?? '');
    assert.ok((await countOf(metric)) > 0, metric);
  });

  it('name only metrics that exist', async () => {
    // Some have no sample before something fails, but all have metadata.
    const families = Object.keys((await prometheus.api('metadata')) as object);
    const recorded = recordings.map(({ record }) => record);
    const known = new Set(['up', 'ALERTS', ...recorded, ...families]);
    const isKnown = (name: string) =>
      known.has(name) || known.has(name.replace(/_(bucket|count|sum)$/, ''));
    const rules = [...alerts, ...recordings].map(({ expr }) => expr);
    const used = [...rules, ...queries.map(({ query }) => query)].flatMap(metricsIn);
    assert.ok(used.length > 60, `${used.length}`);
    assert.deepEqual(
      used.filter((name) => !isKnown(name)),
      [],
    );
  });

  it('are evaluated without errors, and no alert fires for a gateway that works', async () => {
    type Rules = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    const states = async () => {
      const { groups } = (await prometheus.api('rules')) as Rules;
      return groups.flatMap(({ rules }) => rules);
    };
    await until(async () => (await states()).every(({ health }) => health !== 'unknown'), {
      deadlineMs: 60_000,
    });
    for (const { name, health, lastError } of await states()) {
      assert.equal(health, 'ok', `${name}: ${lastError}`);
    }
    assert.deepEqual(await prometheus.query('ALERTS{alertstate="firing"}'), []);
  });

  it('see a gateway without a worker that responds as up and not ready', async () => {
    const workers = childrenOf(gateway.pid);
    for (const worker of workers) process.kill(worker, 'SIGSTOP');
    try {
      const pending = (alert: string) => `ALERTS{alertname="${alert}", alertstate="pending"}`;
      await untilFound(pending('MemcacheGatewayNotReady'));
      assert.equal(await countOf('up{job="memcache-gateway"} == 1'), 1);
      assert.equal(await countOf(pending('MemcacheGatewayDown')), 0);
    } finally {
      for (const worker of workers) process.kill(worker, 'SIGCONT');
    }
  });
});
