/** npm run test:model [-- --operations 100000 --seed N]: all games, at length. */
import { parseArgs } from 'node:util';
import { games, playGame } from './games.ts';

const { values } = parseArgs({
  options: { operations: { type: 'string' }, seed: { type: 'string' } },
});
const operations = Number(values.operations ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

for (const game of games) {
  const { name } = game;
  const began = performance.now();
  const progress = (done: number): void => {
    if (done % 10_000 === 0) console.log(`${name}: ${done} of ${operations}`);
  };
  try {
    await playGame(game, { seed, operations, progress });
  } catch (error) {
    console.error(`${name}: lost with --seed ${seed} --operations ${operations}`);
    throw error;
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${name}: ${operations} operations in ${seconds.toFixed(1)} s, all as expected`);
}
