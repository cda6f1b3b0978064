/**
 * npm run bench:calls: measures how many small gets per second the scheduler serves with the number of
 * calls in flight that it finds, and with fixed numbers, on an engine that works on one call at a time
 * and on one with eight lanes. All take turns in one process. Exits with 1 when the number found is more
 * than 10 % below the best fixed one.
 *
 * The engine is the injecting library. Its delays are sleeps of milliseconds, so that other load on the
 * machine changes the result little.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Block } from '../../src/native/abi/types.ts';
import type { Engine } from '../../src/native/engine.ts';
import { openEngine } from '../../src/native/open-engine.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import {
  createInjection,
  injectingLibrary,
  type Rule,
  ruleLine,
} from '../helpers/engine/injecting.ts';
import { median } from './statistics.mjs';

const CALL_SLOTS = 16;
const CALLERS = 64;
/** Turns of the event loop over which their requests are spread. */
const TURNS = 8;
const FIXED = [1, 2, 4, 8];
const ROUNDS = 5;
const ROUND_MS = 600;
/** Long enough to find a number: some thirty windows of measurement. */
const WARM_UP_MS = 6000;
const LEAST_RATIO = 0.9;

const cost = { on: ['get', 'batch_get'], delayInsideUs: 4000, perKeyUs: 60 } as const;
const behaviours: Readonly<Record<string, Rule>> = {
  'one lock': cost,
  'eight lanes': { ...cost, lanes: 8 },
};

interface Contender {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly rates: number[];
}

/**
 * Each caller sends its next get some turns of the event loop after the last one has returned, as clients
 * do over a network: they never all arrive in one turn. Resolves with gets per second.
 */
async function rateOf(scheduler: Scheduler, blocks: readonly Block[], ms: number): Promise<number> {
  const startMs = performance.now();
  let served = 0;
  const caller = async (block: Block, at: number): Promise<void> => {
    while (performance.now() - startMs < ms) {
      const code = await scheduler.single.get('bench', block);
      if (code !== 0) throw new Error(`the engine returned ${code}`);
      served += 1;
      for (let turns = at % TURNS; turns > 0; turns--) await nextTurn();
    }
  };
  await Promise.all(blocks.map(caller));
  return (1000 * served) / (performance.now() - startMs);
}

function contendersOn(engine: Engine): readonly [Contender, ...Contender[]] {
  const contender = (name: string, own: { fixedSmallCalls?: number }): Contender => ({
    name,
    scheduler: new Scheduler(engine, { deadlineMs: 10_000, coalescing: true, ...own }),
    rates: [],
  });
  return [
    contender('found', {}),
    ...FIXED.map((calls) => contender(`fixed ${calls}`, { fixedSmallCalls: calls })),
  ];
}

async function measure(engine: Engine, blocks: readonly Block[]): Promise<boolean> {
  const all = contendersOn(engine);
  const [found, ...fixed] = all;
  await rateOf(found.scheduler, blocks, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round++) {
    for (const { scheduler, rates } of all) rates.push(await rateOf(scheduler, blocks, ROUND_MS));
  }
  for (const { name, rates } of all) {
    console.log(`  ${name.padEnd(10)} ${String(Math.round(median(rates))).padStart(7)}/s`);
  }
  const best = Math.max(...fixed.map(({ rates }) => median(rates)));
  const ratio = median(found.rates) / best;
  const isReached = ratio >= LEAST_RATIO;
  const calls = found.scheduler.single.limits()['get'];
  console.log(
    `  found ${calls}: ${ratio.toFixed(2)} of the best fixed number, target ${LEAST_RATIO}: ${isReached ? 'ok' : 'MISSED'}`,
  );
  return isReached;
}

async function main(): Promise<void> {
  const injection = createInjection();
  // The library reads them when it is loaded.
  Object.assign(process.env, injection.env);
  const engine = await openEngine({
    ...{ engine: await injectingLibrary(), device: 0, arenaBytes: 2 ** 24 },
    ...{ callSlots: CALL_SLOTS, deadlineMs: 10_000, onWarning: console.warn },
  });
  const blocks = Array.from({ length: CALLERS }, () => {
    const block = engine.arena.tryAllocate(1024);
    if (block === undefined) throw new Error('the arena is full');
    return block;
  });
  await engine.calls.put(['bench'], blocks.slice(0, 1), { replicas: 1, prefer: [] });
  console.log(`${CALLERS} callers, medians of ${ROUNDS} rounds of ${ROUND_MS} ms`);
  for (const [name, rule] of Object.entries(behaviours)) {
    console.log(`${name}: ${ruleLine(rule)}`);
    await injection.set([rule]);
    if (!(await measure(engine, blocks))) process.exitCode = 1;
    await injection.clear();
  }
  await engine.leave(10_000);
  injection.dispose();
}

await main();
