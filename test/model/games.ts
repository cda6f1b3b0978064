/** All games: the settings of the gateway, and the problems that it may return. */
import assert from 'node:assert/strict';
import { createInjection, injectingLibrary } from '../helpers/engine/injecting.ts';
import { startGateway } from '../helpers/process/gateway.ts';
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
  /** Several clients share one key and two workers, instead of clients with their own keys. */
  readonly consistency?: true;
}

/** Room for all requests of the clients at one time. */
const roomy = ['--arena-bytes', '128MiB', '--pool-bytes', '256MiB'];

/** Windows of 256 KiB, an eighth of the arena: batches need several, and wait for room. */
const tight = ['--arena-bytes', '2MiB', '--pool-bytes', '256MiB'];

export const games: readonly Game[] = [
  { name: 'embedded', where: 'on the embedded engine', args: roomy, tolerates: noProblem },
  {
    name: 'tight',
    where: 'with an arena that is too small for all clients',
    args: tight,
    tolerates: noRoom,
  },
  {
    name: 'failing',
    where: 'on an engine that is slow, fails and copies nothing',
    args: [...tight, '--arena-wait-ms', '200'],
    tolerates: engineFaults,
    failing: true,
  },
  {
    name: 'consistency',
    where: 'and every read sees the completed writes of both workers',
    args: [...roomy, '--devices', '0,1', '--ready-when', 'all'],
    tolerates: noProblem,
    consistency: true,
  },
];

/** A write of the consistency game takes as long as this number of operations of the other games. */
const OPERATIONS_PER_WRITE = 100;

export interface GameOptions {
  readonly seed: number;
  readonly operations: number;
  readonly progress?: (done: number) => void;
}

/** Rejects with the fault that it found, and when the gateway does not exit with 0. */
export async function playGame(game: Game, options: GameOptions): Promise<void> {
  const { args, tolerates, failing = false, consistency = false } = game;
  const injection =
    failing || consistency ? createInjection(consistency ? [slowReads] : []) : undefined;
  const gateway = await startGateway({
    args: injection === undefined ? args : [...args, '--engine', await injectingLibrary()],
    // Released blocks are poisoned, so a read of one returns wrong bytes.
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
