/**
 * Measures the native side step by step: `node --import tsx test/bench/native.ts [library]`. Prints
 * medians of rounds on one thread. The target is at most 2.5 µs for the whole synchronous get.
 */

import type { Block } from '../../src/native/abi/types.ts';
import { openEngine } from '../../src/native/open-engine.ts';

const ROUNDS = 15;
const CALLS = 20_000;
const options = { replicas: 1, prefer: [] };

/** Microseconds of one call: the median over rounds of the mean over calls. */
function cost(run: (index: number) => unknown): number {
  for (let i = 0; i < CALLS; i++) run(i);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) run(i);
    return ((performance.now() - start) * 1000) / CALLS;
  });
  return median(rounds);
}

async function asyncCost(inFlight: number, run: () => Promise<unknown>): Promise<number> {
  const calls = 10_000;
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    const caller = async (): Promise<void> => {
      for (let i = 0; i < calls / inFlight; i++) await run();
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    rounds.push(((performance.now() - start) * 1000) / calls);
  }
  return median(rounds);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function print(step: string, microseconds: number): void {
  console.log(`${step.padEnd(52)} ${microseconds.toFixed(3).padStart(9)} µs`);
}

const client = await openEngine({
  engine: process.argv[2] ?? 'embedded',
  device: 0,
  arenaBytes: 2 ** 28,
  callSlots: 16,
  deadlineMs: 10_000,
  onWarning: () => undefined,
});
const { arena, sync } = client;
const must = (block: Block | undefined): Block => {
  if (block === undefined) throw new Error('the arena is full');
  return block;
};

print(
  'arena: allocate and release 1 KiB',
  cost(() => must(arena.tryAllocate(1024)).release()),
);
print(
  'arena: the same with its view',
  cost(() => {
    const block = must(arena.tryAllocate(1024));
    block.view[0] = 1;
    block.release();
  }),
);
const held = Array.from({ length: 4096 }, (_, i) => must(arena.tryAllocate(64 + (i % 61) * 64)));
print(
  'arena: replace one of 4,096 blocks of mixed sizes',
  cost((i) => {
    const slot = (i * 2_654_435_761) % held.length;
    held[slot]?.release();
    held[slot] = must(arena.tryAllocate(64 + (i % 61) * 64));
  }),
);
for (const block of held) block.release();

const keys = Array.from({ length: 1000 }, (_, i) => `objects/model-7b/layer-${i}`);
const block = must(arena.tryAllocate(1024));
block.view.fill(1);
for (const key of keys) await client.calls.put([key], [block], options);
const succeeds = (code: number | undefined): void => {
  if (code !== 0) throw new Error(`the engine answered ${code}`);
};
const keyAt = (i: number): string => keys[i % keys.length] as string;

if (sync !== undefined) {
  const query = cost((i) => succeeds(sync.query(keyAt(i))));
  print('sync: query', query);
  const get = cost((i) => succeeds(sync.get(keyAt(i), block, 1024)));
  print('sync: get 1 KiB, canaries included', get);
  print(
    'sync: exist',
    cost((i) => succeeds(sync.exist(keyAt(i)))),
  );
  print(
    'sync: put and remove 1 KiB',
    cost((i) => {
      succeeds(sync.put(`put/${i % 7}`, block, 1024, options));
      succeeds(sync.remove(`put/${i % 7}`));
    }),
  );
  const whole = cost((i) => {
    const own = must(arena.tryAllocate(1024));
    const key = keyAt(i);
    succeeds(sync.query(key));
    succeeds(sync.get(key, own, 1024));
    own.release();
  });
  print('sync: allocate, query, get 1 KiB, release', whole);
}
for (const inFlight of [1, 4, 16]) {
  const get = await asyncCost(inFlight, () =>
    client.calls.get(['objects/model-7b/layer-1'], [block]),
  );
  print(`async: get 1 KiB, ${inFlight} in flight, for each`, get);
}
const many = Array.from({ length: 32 }, () => must(arena.tryAllocate(1024)));
const some = keys.slice(0, 32);
print(
  'async: batch get 32 × 1 KiB, 4 in flight, for each',
  await asyncCost(4, () => client.batchCalls.get(some, many)),
);
block.release();
for (const each of many) each.release();
await client.leave(5000);
