/** The games there are: which gateway is played against, and what it is not to blame for. */
import assert from 'node:assert/strict';
import { startGateway } from '../helpers/gateway.ts';
import { createInjection, injectingLibrary } from '../helpers/injecting.ts';
import { playConsistency } from './consistency.ts';
import { modelFaults } from './faults.ts';
import { play } from './play.ts';
import { engineFaults, noProblem, noRoom, type Tolerance } from './verdicts.ts';

export interface Game {
  readonly name: string;
  readonly where: string;
  readonly args: readonly string[];
  readonly tolerates: Tolerance;
  readonly failing?: true;
  /** Played by several clients of one key and two workers, instead of clients with keys of their own. */
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
    where: 'and every reader sees completed writes of both workers',
    args: ['--devices', '0,1', '--ready-when', 'all', '--arena-bytes', '256MiB'],
    tolerates: noProblem,
    consistency: true,
  },
];

export interface GameOptions {
  readonly seed: number;
  readonly operations: number;
  readonly progress?: (done: number) => void;
}

/** Rejects with what was wrong, and when the gateway does not end as it should. */
export async function playGame(game: Game, options: GameOptions): Promise<void> {
  const { args, tolerates, failing = false, consistency = false } = game;
  const injection = failing ? createInjection() : undefined;
  const gateway = await startGateway({
    args: failing ? [...args, '--engine', await injectingLibrary()] : args,
    // What is read from a block that was given back is poison then.
    env: { GATEWAY_DEBUG_ARENA: '1', ...injection?.env },
  });
  try {
    const { url } = gateway;
    // Its values are large, so that each operation takes as long as many of the other games.
    if (consistency) {
      const operations = Math.ceil(options.operations / 10);
      await playConsistency({ ...options, url, operations });
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
