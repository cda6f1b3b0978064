/** Many clients at a time, each with keys of its own, against one gateway and a model of it. */
import { untilIdle } from '../helpers/metrics.ts';
import { createClient } from './client.ts';
import { ModelKey } from './model.ts';
import { createRandom } from './values.ts';
import type { Tolerance } from './verdicts.ts';

export interface PlayOptions {
  readonly url: string;
  readonly seed: number;
  /** A batch counts as one, and so do those that a client sends at one time. */
  readonly operations: number;
  readonly clients?: number;
  readonly tolerates: Tolerance;
  /** Called before and behind a look at what is settled, which needs an engine that does not fail. */
  readonly calm: () => Promise<void>;
  readonly resume: () => Promise<void>;
  readonly progress?: (done: number) => void;
}

const KEYS_OF_A_CLIENT = 12;
/** So often all clients stop, and what nobody has heard of is looked up. */
const OPERATIONS_BETWEEN_LOOKS = 500;

/** Rejects with what was wrong; the same seed plays the same moves. */
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
      // The number first: by it the engine's faults choose items of a batch.
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
