// The benchmarks with targets for resources of the gateway: processor time, memory, time to start.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drive } from './load.mjs';
import { keys, MIB, perSecond, put, ratio } from './measure.mjs';
import { anonymousBytes, cpuMs, startGateway } from './processes.mjs';
import { median } from './statistics.mjs';

export const resourceTargets = {
  /** Measures requests per second of the workers' processor time, since the generator shares the cores. */
  async workers({ reportRatio, report, rounds, seconds }) {
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

  /** Processor time of a worker for each request, with tokens and without, in turn. */
  async tokens({ report, rounds, seconds }) {
    const folder = mkdtempSync(join(tmpdir(), 'memcache-gateway-bench-'));
    const { file, token } = tokenFile(folder, 1000);
    await compareCost({ report, rounds, seconds }, 'CPU of a 1 KiB GET with a token', 1.03, [
      {},
      { flags: ['--token-file', file], headers: { Authorization: `Bearer ${token}` } },
    ]);
    rmSync(folder, { recursive: true });
  },

  /** Processor time of a worker for each request, with and without figures and log lines of requests, in turn. */
  async metrics({ report, rounds, seconds }) {
    await compareCost({ report, rounds, seconds }, 'CPU of a 1 KiB GET that is recorded', 1.05, [
      { env: { MCG_RECORDING: 'off' } },
      {},
    ]);
  },

  async memory({ report }) {
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

  async start({ report, rounds }) {
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

/**
 * Measures 1 KiB GETs on two gateways, in turn, and compares the processor time of their workers. `most` is
 * the highest ratio of the second to the first.
 */
async function compareCost({ report, rounds, seconds }, title, most, starts) {
  const paths = keys(64, 'small');
  const sides = [];
  for (const { flags = [], headers = {}, env = {} } of starts) {
    const gateway = await withEnvironment(env, () => startGateway(...flags));
    for (const path of paths) await put(gateway.port, path, 1024, headers);
    const load = { port: gateway.port, paths, connections: 32, seconds, headers };
    // The first seconds compile the code.
    await drive(load);
    sides.push({ gateway, load, costs: [] });
  }
  for (let round = 0; round < rounds; round++) {
    // The order alternates, so that a machine that becomes slower does not favour one side.
    for (const { gateway, load, costs } of round % 2 === 0 ? sides : [...sides].reverse()) {
      const before = cpuMs(gateway.worker());
      const rate = await drive(load);
      costs.push(((cpuMs(gateway.worker()) - before) * 1000) / (rate * seconds));
    }
  }
  const [off, on] = sides;
  const factor = ratio(on.costs, off.costs);
  const figure = `${median(on.costs).toFixed(1)} of ${median(off.costs).toFixed(1)} us = ${factor.toFixed(3)}`;
  report(title, figure, `<= ${most}`, factor <= most);
  for (const { gateway } of sides) await gateway.stop();
}

/** The gateway inherits the environment of this process. */
async function withEnvironment(env, start) {
  Object.assign(process.env, env);
  try {
    return await start();
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
  }
}

/** Writes a file of `count` tokens (docs/security.md); returns its path and the last token. */
function tokenFile(folder, count) {
  const file = join(folder, 'tokens.json');
  const secret = randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(secret).digest('hex');
  const tokens = Array.from({ length: count }, (_, at) => ({
    ...{ id: at.toString(16).padStart(12, '0'), scopes: ['read', 'write'], prefixes: ['small'] },
    ...{ expires: null, sha256 },
  }));
  writeFileSync(file, JSON.stringify({ version: 1, tokens }), { mode: 0o600 });
  return { file, token: `mcg_${tokens.at(-1).id}_${secret}` };
}
