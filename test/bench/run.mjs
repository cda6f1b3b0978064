// npm run bench [-- NAME…]: what the gateway reaches on this machine, as ratios to bare node:http
// servers measured beside it in the same run. Ends with 1 when a target is missed.
import { request } from 'node:http';
import { parseArgs } from 'node:util';
import { drive, generator } from './load.mjs';
import { anonymousBytes, cpuMs, slowEngine, startBare, startGateway } from './processes.mjs';

const BLOCK = 8_994_816; // A KV-cache block of 122 layers.
const MIB = 1 << 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const keys = (count, prefix, query = '') =>
  Array.from({ length: count }, (_, i) => `/v1/objects/${prefix}-${i}${query}`);

async function put(port, path, bytes) {
  const { promise, resolve, reject } = deferred();
  const req = request({ port, host: '127.0.0.1', method: 'PUT', path }, (res) => {
    res.resume().on('end', () => resolve(res.statusCode));
  });
  req.on('error', reject).setHeader('Content-Length', bytes);
  const chunk = Buffer.alloc(MIB, 'x');
  for (let sent = 0; sent < bytes; sent += MIB) req.write(chunk.subarray(0, bytes - sent));
  req.end();
  return promise;
}

/** Reads that have reached the engine. */
async function engineReads(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const name = 'memcache_gateway_engine_call_duration_seconds_count';
  const counts = text.matchAll(
    new RegExp(`^${name}\\{operation="(?:batch_)?get".*\\} (\\d+)$`, 'gm'),
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Runs the loads in turn, round after round, so that what disturbs the machine disturbs them all. */
async function compare(loads) {
  const rates = loads.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, load] of loads.entries()) rates[at].push(await drive({ ...load, seconds }));
  }
  return rates;
}

/** The median over the rounds of the ratio within each round. */
const ratio = (rates, of) => median(rates.map((rate, round) => rate / of[round]));

const results = [];
function report(name, figure, target, passed) {
  results.push({ name, figure, target, passed });
  const verdict = passed === undefined ? '' : passed ? 'ok' : 'MISSED';
  process.stdout.write(`${name.padEnd(44)} ${figure.padEnd(44)} ${target.padEnd(12)} ${verdict}\n`);
}

const perSecond = (rate) => `${Math.round(rate).toLocaleString('en')}/s`;
const throughput = (rate) => `${((rate * BLOCK) / 1e9).toFixed(2)} GB/s`;

function reportRatio(name, rates, of, target, show) {
  const reached = ratio(rates, of);
  const figure = `${show(median(rates))} of ${show(median(of))} = ${reached.toFixed(2)}`;
  report(name, figure, `>= ${target}`, reached >= target);
}

/** Batches of the same keys, answered in safetensors where the answer has bytes. */
const batchLoad = (operation, names) => ({
  method: 'POST',
  paths: [`/v1/batch/${operation}`],
  body: JSON.stringify({ keys: names }),
  headers: {
    'Content-Type': 'application/json',
    ...(operation === 'get' && { Accept: 'application/vnd.safetensors' }),
  },
});

function reportKeys(name, rates, keysEach, target) {
  const reached = median(rates) * keysEach;
  const figure = `${Math.round(reached).toLocaleString('en')} keys/s`;
  report(name, figure, `>= ${target.toLocaleString('en')}`, reached >= target);
}

const benchmarks = {
  async 'get-1k'() {
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

  async 'put-1k'() {
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

  async 'get-block'() {
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

  async 'put-block'() {
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

  async coalescing() {
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

  async 'hot-key'() {
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

  async 'batch-get-1k'() {
    const gateway = await startGateway();
    const names = Array.from({ length: 1000 }, (_, i) => `batch-1k-${i}`);
    for (const name of names) await put(gateway.port, `/v1/objects/${name}`, 1024);
    const load = { ...batchLoad('get', names), connections: 4 };
    const [rates] = await compare([{ port: gateway.port, ...load }]);
    reportKeys('batch get of 1,000 x 1 KiB, safetensors', rates, names.length, 200_000);
    await gateway.stop();
  },

  async 'batch-exists'() {
    const gateway = await startGateway();
    const names = Array.from({ length: 10_000 }, (_, i) => `kv/model/block-${i}`);
    for (const name of names.slice(0, 100)) await put(gateway.port, `/v1/objects/${name}`, 64);
    const load = { ...batchLoad('exists', names), connections: 4 };
    const [rates] = await compare([{ port: gateway.port, ...load }]);
    reportKeys('batch exists of 10,000 keys', rates, names.length, 500_000);
    await gateway.stop();
  },

  async 'batch-get-block'() {
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

  async layers() {
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

  /** The generator shares the cores, so what counts is what a second of the workers' time is worth. */
  async workers() {
    const paths = keys(64, 'small');
    const worth = [];
    for (const devices of ['0', '0,1']) {
      const gateway = await startGateway('--devices', devices, '--ready-when', 'all');
      for (const path of paths) await put(gateway.port, path, 1024);
      const load = { port: gateway.port, paths, connections: 32, seconds };
      await drive(load);
      const spent = () => gateway.workers().map(cpuMs);
      const rates = [];
      const shares = [];
      for (let round = 0; round < rounds; round++) {
        const before = spent();
        const rate = await drive(load);
        const each = spent().map((ms, at) => ms - before[at]);
        const all = each.reduce((sum, ms) => sum + ms, 0);
        rates.push((rate * seconds * 1000) / all);
        shares.push(Math.max(...each) / all);
      }
      worth.push({ rates, share: median(shares) });
      await gateway.stop();
    }
    const [one, two] = worth;
    const show = (rate) => `${perSecond(rate)} of CPU`;
    reportRatio('1 KiB GET, two workers to one', two.rates, one.rates, 0.9, show);
    const figure = `${(two.share * 100).toFixed(1)} % of the time by the busier one`;
    report('their spread', figure, '<= 55 %', two.share <= 0.55);
  },

  async memory() {
    const gateway = await startGateway('--arena-bytes', '1GiB', '--pool-bytes', '8GiB');
    let peak = 0;
    const pid = gateway.worker();
    const sampler = setInterval(() => {
      peak = Math.max(peak, anonymousBytes(pid));
    }, 20);
    const paths = keys(64, 'large');
    const statuses = await Promise.all(paths.map((path) => put(gateway.port, path, 64 * MIB)));
    peak = Math.max(peak, anonymousBytes(pid));
    clearInterval(sampler);
    const created = statuses.filter((status) => status === 201).length;
    report('64 concurrent PUTs of 64 MiB', `${created} created`, '64', created === 64);
    const over = (peak - 1024 * MIB) / MIB;
    const figure = `${Math.round(peak / MIB)} MiB (arena + ${Math.round(over)} MiB)`;
    report('their peak of RssAnon', figure, '<= +200 MiB', over <= 200);
    await gateway.stop();
  },

  async start() {
    const times = [];
    for (let round = 0; round < Math.max(rounds, 5); round++) {
      const gateway = await startGateway();
      times.push(gateway.readyMs);
      await gateway.stop();
    }
    const figure = `${Math.round(median(times))} ms (worst ${Math.round(Math.max(...times))} ms)`;
    report('process start to ready', figure, '<= 400 ms', median(times) <= 400);
  },
};

if (values.help) {
  process.stdout.write(
    `npm run bench -- [NAME...] [--rounds 5] [--seconds 3]\nNames: ${Object.keys(benchmarks).join(', ')}\n`,
  );
} else {
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0) throw new Error(`no benchmark named ${unknown.join(', ')}; see --help`);
  process.stdout.write(
    `Node ${process.version}, ${generator}, ${rounds} rounds of ${seconds} s each\n`,
  );
  for (const name of names) await benchmarks[name]();
  const missed = results.filter(({ passed }) => passed === false).length;
  process.exitCode = missed > 0 ? 1 : 0;
}
