/** Many clients at a time, each with keys of its own, against one gateway and a model of it. */
import { untilIdle } from '../helpers/metrics.ts';
import { ModelKey } from './model.ts';
import { createClient } from './operations.ts';
import { createRandom } from './values.ts';

export interface PlayOptions {
  readonly url: string;
  readonly seed: number;
  readonly operations: number;
  readonly clients?: number;
  /** Whether the engine fails now and then. */
  readonly faults?: boolean;
  /** Called before and behind a look at what is settled, which needs an engine that does not fail. */
  readonly calm?: () => Promise<void>;
  readonly resume?: () => Promise<void>;
  readonly progress?: (done: number) => void;
}

const KEYS_OF_A_CLIENT = 12;
/** So often all clients stop, and what nobody has heard of is looked up. */
const OPERATIONS_BETWEEN_LOOKS = 2_000;

/** Rejects with what was wrong; the same seed plays the same moves. */
export async function play(options: PlayOptions): Promise<void> {
  const { url, seed, operations, clients: count = 16, faults = false } = options;
  let version = 0;
  const nextVersion = (): number => {
    version += 1;
    return version;
  };
  const clients = Array.from({ length: count }, (_, at) =>
    createClient({
      url,
      random: createRandom(seed * 1000 + at),
      keys: Array.from(
        { length: KEYS_OF_A_CLIENT },
        (_key, index) => new ModelKey(`model/${seed}/${at}/${index}?#%ü`),
      ),
      faults,
      nextVersion,
    }),
  );
  try {
    for (let done = 0; done < operations; ) {
      const round = Math.min(OPERATIONS_BETWEEN_LOOKS, operations - done);
      await options.resume?.();
      await Promise.all(
        clients.map(async (client, at) => {
          const own = Math.floor(round / count) + (at < round % count ? 1 : 0);
          for (let step = 0; step < own; step += 1) await client.step();
        }),
      );
      done += round;
      await options.calm?.();
      await untilIdle(url);
      await Promise.all(clients.map((client) => client.settle()));
      options.progress?.(done);
    }
  } finally {
    for (const client of clients) client.close();
  }
}
