/** The games there are: which gateway is played against, and what it is not to blame for. */
import assert from 'node:assert/strict';
import { startGateway } from '../helpers/gateway.ts';
import { createInjection, injectingLibrary } from '../helpers/injecting.ts';
import { playConsistency, slowReads } from './consistency.ts';
import { modelFaults } from './faults.ts';
import { play } from './play.ts';
import { engineFaults, noProblem, noRoom, type Tolerance } from './verdicts.ts';

export interface Game {
  readonly name: string;
  readonly where: string;
  readonly args: readonly string[];
  readonly tolerates: Tolerance;
  readonly failing?: true;
  /** Several clients of one key and two workers play it, instead of clients with keys of their own. */
  readonly consistency?: true;
}

/** Windows of 256 KiB, an eighth of it: batches take several, and wait for room. */
const tight = ['--arena-bytes', '2MiB'];

export const games: readonly Game[] = [
  { name: 'embedded', where: 'on the embedded engine', args: [], tolerates: noProblem },
  {
    name: 'tight',
    where: 'through an arena too small for all',
    args: tight,
    tolerates: noRoom,
  },
  {
    name: 'failing',
    where: 'on an engine that is slow, fails and lies',
    args: [...tight, '--arena-wait-ms', '200'],
    tolerates: engineFaults,
    failing: true,
  },
  {
    name: 'consistency',
    where: 'and every read sees the completed writes of both workers',
    args: ['--devices', '0,1', '--ready-when', 'all'],
    tolerates: noProblem,
    consistency: true,
  },
];

/** A write of the consistency game takes as long as so many operations of the other games. */
const OPERATIONS_PER_WRITE = 100;

export interface GameOptions {
  readonly seed: number;
  readonly operations: number;
  readonly progress?: (done: number) => void;
}

/** Rejects with what was wrong, and when the gateway does not end as it should. */
export async function playGame(game: Game, options: GameOptions): Promise<void> {
  const { args, tolerates, failing = false, consistency = false } = game;
  const injection =
    failing || consistency ? createInjection(consistency ? [slowReads] : []) : undefined;
  const gateway = await startGateway({
    args: injection === undefined ? args : [...args, '--engine', await injectingLibrary()],
    // What is read from a block that was given back is poison then.
    env: { GATEWAY_DEBUG_ARENA: '1', ...injection?.env },
  });
  try {
    const { url } = gateway;
    if (consistency) {
      const { seed, operations, progress } = options;
      await playConsistency({
        url,
        seed,
        writes: Math.ceil(operations / OPERATIONS_PER_WRITE),
        progress: (writes) => progress?.(writes * OPERATIONS_PER_WRITE),
      });
    } else {
      await play({
        ...options,
        url,
        tolerates,
        resume: async () => injection?.set(modelFaults),
        calm: async () => injection?.clear(),
      });
    }
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  } finally {
    await gateway.kill();
    injection?.dispose();
  }
}
