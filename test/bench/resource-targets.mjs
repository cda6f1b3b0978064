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
    const paths = keys(64, 'small');
    const sides = [];
    for (const [flags, headers] of [
      [[], {}],
      [['--token-file', file], { Authorization: `Bearer ${token}` }],
    ]) {
      const gateway = await startGateway(...flags);
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
    report('CPU of a 1 KiB GET with a token', figure, '<= 1.03', factor <= 1.03);
    for (const { gateway } of sides) await gateway.stop();
    rmSync(folder, { recursive: true });
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
