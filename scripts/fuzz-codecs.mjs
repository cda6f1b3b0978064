/**
 * npm run fuzz:codecs [-- RUNS [SEED]]: gives each codec so many mutated and truncated bodies (100,000
 * unless told). Fails at the first that crashes, hangs, is answered with a 5xx or leaves memory behind,
 * and names its seed.
 */
import process from 'node:process';
import { codecs, fuzz } from '../test/helpers/codec-fuzz.ts';

const MOST_GROWTH_BYTES = 100 << 20;
const BATCH = 5_000;

const [runs = 100_000, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number);

for (const name of Object.keys(codecs)) {
  const outcomes = new Map();
  let before;
  let most = 0;
  for (let done = 0; done < runs; done += BATCH) {
    const found = await fuzz(name, Math.min(BATCH, runs - done), seed + done);
    for (const [slug, count] of found) outcomes.set(slug, (outcomes.get(slug) ?? 0) + count);
    const { rss } = process.memoryUsage();
    before ??= rss;
    most = Math.max(most, rss - before);
    if (most > MOST_GROWTH_BYTES) throw new Error(`${name}, seed ${seed}: memory grew by ${most}`);
  }
  const told = [...outcomes].map(([slug, count]) => `${slug} ${count}`).join(', ');
  process.stdout.write(`${name}: ${told}; memory grew by ${Math.round(most / 2 ** 20)} MiB\n`);
}
