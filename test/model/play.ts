/** Many concurrent clients, each with its own keys, on one gateway and a model of it. */
import { untilIdle } from '../helpers/process/metrics.ts';
import { createClient } from './client.ts';
import { ModelKey } from './model.ts';
import { createRandom } from './values.ts';
import type { Tolerance } from './verdicts.ts';

export interface PlayOptions {
  readonly url: string;
  readonly seed: number;
  /** A batch counts as one operation, and so do the concurrent requests of one client. */
  readonly operations: number;
  readonly clients?: number;
  readonly tolerates: Tolerance;
  /** Called before and after the keys are settled, which needs an engine without faults. */
  readonly calm: () => Promise<void>;
  readonly resume: () => Promise<void>;
  readonly progress?: (done: number) => void;
}

const KEYS_OF_A_CLIENT = 12;
/** After this number of operations all clients stop, and look up the unknown outcomes. */
const OPERATIONS_BETWEEN_LOOKS = 500;

/** Rejects with the fault that it found; the same seed plays the same operations. */
export async function play(options: PlayOptions): Promise<void> {
  const { url, seed, operations, clients: count = 16, tolerates } = options;
  let version = 0;
  const nextVersion = (): number => {
    version += 1;
    return version;
  };
  const clients = Array.from({ length: count }, (_, at) =>
    createClient({
      url,
      random: createRandom(seed * 1000 + at),
      // The key begins with a number: the faults of the engine select items of a batch by it.
      keys: Array.from(
        { length: KEYS_OF_A_CLIENT },
        (_key, index) => new ModelKey(`${index}/model/${seed}/${at}?#%ü`),
      ),
      tolerates,
      nextVersion,
    }),
  );
  try {
    for (let done = 0; done < operations; ) {
      const round = Math.min(OPERATIONS_BETWEEN_LOOKS, operations - done);
      await options.resume();
      await Promise.all(
        clients.map(async (client, at) => {
          const own = Math.floor(round / count) + (at < round % count ? 1 : 0);
          for (let step = 0; step < own; step += 1) await client.step();
        }),
      );
      done += round;
      await options.calm();
      await untilIdle(url);
      await Promise.all(clients.map((client) => client.settle()));
      options.progress?.(done);
    }
  } finally {
    for (const client of clients) client.close();
  }
}
