/** npm run test:model [-- --operations 100000 --seed N]: long games on both engines. */
import { parseArgs } from 'node:util';
import { startGateway } from '../helpers/gateway.ts';
import { createInjection, injectingLibrary } from '../helpers/injecting.ts';
import { modelFaults } from './faults.ts';
import { play } from './play.ts';

const { values } = parseArgs({
  options: { operations: { type: 'string' }, seed: { type: 'string' } },
});
const operations = Number(values.operations ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const injection = createInjection();

const games = [
  { name: 'embedded', args: [], faults: false },
  { name: 'failing', args: ['--engine', await injectingLibrary()], faults: true },
];
try {
  for (const { name, args, faults } of games) {
    const gateway = await startGateway({ args, env: faults ? injection.env : {} });
    const began = performance.now();
    try {
      await play({
        url: gateway.url,
        seed,
        operations,
        faults,
        ...(faults
          ? { resume: () => injection.set(modelFaults), calm: () => injection.clear() }
          : {}),
        progress: (done) => {
          if (done % 10_000 === 0) console.log(`${name}: ${done} of ${operations}`);
        },
      });
      const seconds = (performance.now() - began) / 1000;
      console.log(`${name}: ${operations} operations in ${seconds.toFixed(1)} s, all as expected`);
    } catch (error) {
      console.error(`${name}: lost with --seed ${seed} --operations ${operations}`);
      throw error;
    } finally {
      await gateway.stop();
    }
  }
} finally {
  injection.dispose();
}
