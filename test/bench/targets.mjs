// The benchmarks with targets: the rates of the gateway, compared with bare node:http servers.
import { drive } from './load.mjs';
import { BLOCK, batchLoad, keys, perSecond, put, ratio, throughput } from './measure.mjs';
import { slowEngine, startBare, startGateway } from './processes.mjs';
import { median } from './statistics.mjs';

/** Returns the number of reads that have reached the engine. */
async function engineReads(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const name = 'memcache_gateway_engine_call_duration_seconds_count';
  const counts = text.matchAll(
    new RegExp(`^${name}\\{operation="(?:batch_)?get".*\\} (\\d+)$`, 'gm'),
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

export const loadTargets = {
  async 'get-1k'({ compare, reportRatio }) {
    const bare = await startBare('constant', 1024);
    const gateway = await startGateway();
    const express = await startGateway('--fast-lane', 'off');
    const paths = keys(64, 'small');
    for (const { port } of [gateway, express]) {
      for (const path of paths) await put(port, path, 1024);
    }
    const [bareRates, laneRates, expressRates] = await compare([
      { port: bare.port, paths, connections: 32 },
      { port: gateway.port, paths, connections: 32 },
      { port: express.port, paths, connections: 32 },
    ]);
    reportRatio('1 KiB GET, 32 connections, to bare', laneRates, bareRates, 0.75, perSecond);
    reportRatio('1 KiB GET, 32 connections, to Express', laneRates, expressRates, 3, perSecond);
    for (const each of [bare, gateway, express]) await each.stop();
  },

  async 'new-connections'({ compare, reportRatio }) {
    const paths = keys(64, 'small');
    for (const [devices, processes, target] of [
      ['0', 1, 0.8],
      ['0,1', 2, 0.6],
    ]) {
      const bare = await startBare('constant', 1024, 1, processes);
      const gateway = await startGateway('--devices', devices, '--ready-when', 'all');
      for (const path of paths) await put(gateway.port, path, 1024);
      const load = { paths, connections: 32, headers: { Connection: 'close' } };
      // The first seconds compile the code.
      for (const { port } of [bare, gateway]) await drive({ ...load, port, seconds: 2 });
      const [bareRates, rates] = await compare([
        { ...load, port: bare.port },
        { ...load, port: gateway.port },
      ]);
      const name = `a connection for each GET of 1 KiB, ${processes} worker${processes > 1 ? 's' : ''}`;
      reportRatio(name, rates, bareRates, target, perSecond);
      await Promise.all([bare.stop(), gateway.stop()]);
    }
  },

  async 'put-1k'({ compare, reportRatio }) {
    const bare = await startBare('sink');
    const gateway = await startGateway();
    const load = { method: 'PUT', fresh: '/v1/objects/fresh', bytes: 1024, connections: 32 };
    const [bareRates, rates] = await compare([
      { port: bare.port, ...load },
      { port: gateway.port, ...load },
    ]);
    reportRatio('1 KiB PUT, 32 connections', rates, bareRates, 0.6, perSecond);
    await Promise.all([bare.stop(), gateway.stop()]);
  },

  async 'get-block'({ compare, reportRatio }) {
    const bare = await startBare('copy-get', BLOCK, 64);
    const gateway = await startGateway();
    const paths = keys(64, 'block');
    for (const path of paths) await put(gateway.port, path, BLOCK);
    const [bareRates, rates] = await compare([
      { port: bare.port, paths, connections: 4 },
      { port: gateway.port, paths, connections: 4 },
    ]);
    reportRatio('8.57 MiB GET, 64 objects, 4 connections', rates, bareRates, 0.9, throughput);
    await Promise.all([bare.stop(), gateway.stop()]);
  },

  async 'put-block'({ compare, reportRatio, report }) {
    const bare = await startBare('copy-sink', BLOCK);
    const gateway = await startGateway();
    const load = {
      method: 'PUT',
      paths: keys(64, 'block', '?ifExists=replace'),
      bytes: BLOCK,
      connections: 4,
    };
    const cold = await drive({ ...load, port: gateway.port, seconds: 1 });
    await drive({ ...load, port: gateway.port, seconds: 2 });
    const [bareRates, rates] = await compare([
      { port: bare.port, ...load },
      { port: gateway.port, ...load },
    ]);
    reportRatio('8.57 MiB PUT, warm pool, 4 connections', rates, bareRates, 0.75, throughput);
    report('8.57 MiB PUT, cold pool, first second', throughput(cold), '');
    await Promise.all([bare.stop(), gateway.stop()]);
  },

  async coalescing({ compare, reportRatio, report }) {
    const slow = slowEngine();
    const off = ['--coalescing', 'off', '--single-flight', 'off', '--size-cache-keys', '0'];
    const together = await startGateway(...slow.flags, slow.env);
    const single = await startGateway(...slow.flags, ...off, slow.env);
    const paths = keys(512, 'small');
    for (const { port } of [together, single]) {
      for (const path of paths) await put(port, path, 1024);
    }
    const [many, manySingle, one, oneSingle] = await compare([
      { port: together.port, paths, connections: 64 },
      { port: single.port, paths, connections: 64 },
      { port: together.port, paths, connections: 1 },
      { port: single.port, paths, connections: 1 },
    ]);
    reportRatio('1 KiB GET, slow engine, 64 c., to single', many, manySingle, 1.8, perSecond);
    const rate = median(many);
    report('the same, per second', perSecond(rate), '>= 25,000/s', rate >= 25_000);
    reportRatio('1 KiB GET, slow engine, 1 c., to single', one, oneSingle, 0.95, perSecond);
    for (const each of [together, single]) await each.stop();
  },

  async 'leading-keys'({ compare, reportRatio }) {
    const slow = slowEngine();
    const gateway = await startGateway(...slow.flags, slow.env);
    const names = Array.from({ length: 1000 }, (_, at) => `kv/model/block-${at}`);
    const [until, all] = await compare(
      ['missing', undefined].map((end) => ({
        ...{ port: gateway.port, connections: 4, ...batchLoad('exists', names, end) },
      })),
    );
    reportRatio('leading keys of 1,000, the first missing, to exists', until, all, 1.5, perSecond);
    await gateway.stop();
  },

  async 'hot-key'({ compare, reportRatio, report, seconds }) {
    const bare = await startBare('constant', BLOCK);
    const fresh = await startGateway();
    const stale = await startGateway('--stale-read-ms', '100');
    const paths = keys(1, 'hot');
    for (const { port } of [fresh, stale]) await put(port, paths[0], BLOCK);
    const before = await engineReads(stale.port);
    const [bareRates, freshRates, staleRates] = await compare([
      { port: bare.port, paths, connections: 64 },
      { port: fresh.port, paths, connections: 64 },
      { port: stale.port, paths, connections: 64 },
    ]);
    reportRatio('8.57 MiB GET, one key, 64 c., to bare', freshRates, bareRates, 0.7, throughput);
    reportRatio('the same, --stale-read-ms 100', staleRates, bareRates, 0.85, throughput);
    const share =
      ((await engineReads(stale.port)) - before) / (staleRates.reduce((a, b) => a + b) * seconds);
    report('its engine reads to responses', share.toFixed(3), '<= 0.1', share <= 0.1);
    await Promise.all([bare.stop(), fresh.stop(), stale.stop()]);
  },

  async 'batch-get-1k'({ compare, reportKeys }) {
    const gateway = await startGateway();
    const names = Array.from({ length: 1000 }, (_, i) => `batch-1k-${i}`);
    for (const name of names) await put(gateway.port, `/v1/objects/${name}`, 1024);
    const load = { ...batchLoad('get', names), connections: 4 };
    const [rates] = await compare([{ port: gateway.port, ...load }]);
    reportKeys('batch get of 1,000 x 1 KiB, safetensors', rates, names.length, 200_000);
    await gateway.stop();
  },

  async 'batch-exists'({ compare, reportKeys }) {
    const gateway = await startGateway();
    const names = Array.from({ length: 10_000 }, (_, i) => `kv/model/block-${i}`);
    for (const name of names.slice(0, 100)) await put(gateway.port, `/v1/objects/${name}`, 64);
    const load = { ...batchLoad('exists', names), connections: 4 };
    const [rates] = await compare([{ port: gateway.port, ...load }]);
    reportKeys('batch exists of 10,000 keys', rates, names.length, 500_000);
    await gateway.stop();
  },

  async 'batch-get-block'({ compare, reportRatio }) {
    const count = 16;
    const bare = await startBare('copy-get', count * BLOCK, 1);
    const gateway = await startGateway();
    const names = Array.from({ length: count }, (_, i) => `batch-block-${i}`);
    for (const name of names) await put(gateway.port, `/v1/objects/${name}`, BLOCK);
    const load = { ...batchLoad('get', names), connections: 2 };
    const [bareRates, rates] = await compare([
      { port: bare.port, ...load },
      { port: gateway.port, ...load },
    ]);
    const show = (rate) => throughput(rate * count);
    reportRatio('batch get of 16 x 8.57 MiB, safetensors', rates, bareRates, 0.7, show);
    await Promise.all([bare.stop(), gateway.stop()]);
  },

  async layers({ compare, report }) {
    const gateway = await startGateway();
    const whole = keys(64, 'block');
    for (const path of whole) await put(gateway.port, path, BLOCK);
    const inLayers = whole.map(
      (path) => `${path.replace('objects', 'layers')}?sizes=131072x61,16384x61`,
    );
    const [wholeRates, rates] = await compare([
      { port: gateway.port, paths: whole, connections: 4 },
      { port: gateway.port, paths: inLayers, connections: 4 },
    ]);
    const shown = `${throughput(median(rates))} = ${ratio(rates, wholeRates).toFixed(2)} of GET whole`;
    report('8.57 MiB GET in 122 layers, 4 connections', shown, '');
    await gateway.stop();
  },
};
