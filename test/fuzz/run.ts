/**
 * npm run fuzz [-- --requests 1000000 --seed N --game tls]: plays all games or one. Each game has its own
 * gateway and an equal part of the requests. The first fault ends the run with its seed.
 */
import { parseArgs } from 'node:util';
import { games, playGame } from './games.ts';

const MOST = 1_000_000_000;
const { values } = parseArgs({
  options: { requests: { type: 'string' }, seed: { type: 'string' }, game: { type: 'string' } },
});

function numberOf(name: 'requests' | 'seed', standard: number): number {
  const text = values[name] ?? String(standard);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MOST) return value;
  throw new Error(`--${name}: "${text}" is no whole number from 1 to ${MOST}`);
}

const requests = numberOf('requests', 1_000_000);
const seed = numberOf('seed', 1 + (Date.now() % 1_000_000));
const chosen = games.filter(({ name }) => name === (values.game ?? name));
if (chosen.length === 0) throw new Error(`there are: ${games.map(({ name }) => name).join(', ')}`);
const each = Math.ceil(requests / chosen.length);

console.log(`fuzz: --seed ${seed} --requests ${requests}`);
for (const game of chosen) {
  const { name } = game;
  const began = performance.now();
  const step = Math.max(1000, Math.floor(each / 20));
  let shown = 0;
  const progress = (done: number): void => {
    if (done < shown + step) return;
    shown = done;
    console.log(`${name}: ${done} of ${each}`);
  };
  try {
    const statuses = await playGame(game, { seed, requests: each, progress });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const counts = [...statuses].sort(([a], [b]) => a - b).map((entry) => entry.join(': '));
    console.log(
      `${name}: ${each} requests in ${seconds} s; responses by status ${counts.join(', ')}`,
    );
  } catch (error) {
    console.error(`${name}: failed with --game ${name} --seed ${seed} --requests ${requests}`);
    console.error(error);
    process.exit(1);
  }
}
