// Tools of the benchmarks: rounds of loads, ratios and lines of the report.
import { request } from 'node:http';
import { drive } from './load.mjs';
import { median } from './statistics.mjs';

export const BLOCK = 8_994_816; // A KV-cache block of 122 layers.
export const MIB = 1 << 20;

export const keys = (count, prefix, query = '') =>
  Array.from({ length: count }, (_, i) => `/v1/objects/${prefix}-${i}${query}`);

export async function put(port, path, bytes, headers = {}) {
  const { promise, resolve, reject } = deferred();
  const req = request({ port, host: '127.0.0.1', method: 'PUT', path, headers }, (res) => {
    res.resume().on('end', () => resolve(res.statusCode));
  });
  req.on('error', reject).setHeader('Content-Length', bytes);
  const chunk = Buffer.alloc(MIB, 'x');
  for (let sent = 0; sent < bytes; sent += MIB) req.write(chunk.subarray(0, bytes - sent));
  req.end();
  return promise;
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

export const perSecond = (rate) => `${Math.round(rate).toLocaleString('en')}/s`;
export const throughput = (rate) => `${((rate * BLOCK) / 1e9).toFixed(2)} GB/s`;

/** The median over the rounds of the ratio within each round. */
export const ratio = (rates, of) => median(rates.map((rate, round) => rate / of[round]));

/** Batches of the same keys; responses with values are in safetensors. */
export const batchLoad = (operation, names, until) => ({
  method: 'POST',
  paths: [`/v1/batch/${operation}`],
  body: JSON.stringify({ keys: names, until }),
  headers: {
    'Content-Type': 'application/json',
    ...(operation === 'get' && { Accept: 'application/vnd.safetensors' }),
  },
});

/** A run of the benchmarks: `rounds` of `seconds` each, and the reported lines. */
export class Run {
  results = [];

  constructor({ rounds, seconds }) {
    this.rounds = rounds;
    this.seconds = seconds;
  }

  /** Runs the loads in turn, round after round, so that a disturbance of the machine affects all of them. */
  compare = async (loads) => {
    const rates = loads.map(() => []);
    for (let round = 0; round < this.rounds; round++) {
      for (const [at, load] of loads.entries()) {
        rates[at].push(await drive({ ...load, seconds: this.seconds }));
      }
    }
    return rates;
  };

  report = (name, figure, target, passed) => {
    this.results.push({ name, figure, target, passed });
    const verdict = passed === undefined ? '' : passed ? 'ok' : 'MISSED';
    process.stdout.write(
      `${name.padEnd(44)} ${figure.padEnd(44)} ${target.padEnd(12)} ${verdict}\n`,
    );
  };

  reportRatio = (name, rates, of, target, show) => {
    const reached = ratio(rates, of);
    const figure = `${show(median(rates))} of ${show(median(of))} = ${reached.toFixed(2)}`;
    this.report(name, figure, `>= ${target}`, reached >= target);
  };

  reportKeys = (name, rates, keysEach, target) => {
    const reached = median(rates) * keysEach;
    const figure = `${Math.round(reached).toLocaleString('en')} keys/s`;
    this.report(name, figure, `>= ${target.toLocaleString('en')}`, reached >= target);
  };
}
