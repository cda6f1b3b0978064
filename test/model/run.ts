/** npm run test:model [-- --operations 100000 --seed N --game failing]: plays all games or one. */
import { parseArgs } from 'node:util';
import { games, playGame } from './games.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string' },
    seed: { type: 'string' },
    game: { type: 'string' },
  },
});
const operations = Number(values.operations ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

const chosen = games.filter(({ name }) => name === (values.game ?? name));
if (chosen.length === 0) throw new Error(`there are: ${games.map(({ name }) => name).join(', ')}`);

for (const game of chosen) {
  const { name } = game;
  const began = performance.now();
  const progress = (done: number): void => {
    if (done % 10_000 === 0) console.log(`${name}: ${done} of ${operations}`);
  };
  try {
    await playGame(game, { seed, operations, progress });
  } catch (error) {
    console.error(`lost with --game ${name} --seed ${seed} --operations ${operations}`);
    throw error;
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${name}: ${operations} operations in ${seconds.toFixed(1)} s, all as expected`);
}
