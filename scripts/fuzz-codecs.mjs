/**
 * npm run fuzz:codecs [-- RUNS [SEED]]: passes RUNS mutated and truncated bodies (100,000 by default) to
 * each codec. Fails at the first body that crashes or hangs a codec, gets a 5xx or leaks memory, and
 * prints its seed.
 */
import process from 'node:process';
import { codecs, fuzz } from '../test/helpers/bodies/codec-fuzz.ts';

const MAX_GROWTH_BYTES = 100 << 20;
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
    if (most > MAX_GROWTH_BYTES) throw new Error(`${name}, seed ${seed}: memory grew by ${most}`);
  }
  const told = [...outcomes].map(([slug, count]) => `${slug} ${count}`).join(', ');
  process.stdout.write(`${name}: ${told}; memory grew by ${Math.round(most / 2 ** 20)} MiB\n`);
}
