/** One client of the game with its own keys. It chooses each next operation. */
import { batchOperations } from './batch.ts';
import { createConnections } from './http.ts';
import type { ModelKey } from './model.ts';
import { type Player, singleOperations } from './single.ts';

export interface ClientOptions extends Omit<Player, 'connections'> {
  readonly url: string;
  readonly keys: readonly ModelKey[];
}

export function createClient({ url, keys, ...options }: ClientOptions) {
  const { random } = options;
  const player = { ...options, connections: createConnections(url, random) };
  const single = singleOperations(player);
  const batch = batchOperations(player);

  function actSingly(key: ModelKey): Promise<unknown> {
    const dice = random.next();
    if (dice < 0.4) return single.put(key);
    if (dice < 0.75) return single.get(key);
    if (dice < 0.8) return single.head(key);
    if (dice < 0.85) return single.info(key);
    return single.remove(key);
  }

  function actOnMany(among: readonly ModelKey[]): Promise<unknown> {
    // Small numbers of keys are more frequent than large ones.
    const some = among.slice(0, random.between(1, random.between(2, among.length + 2)));
    const dice = random.next();
    if (dice < 0.4) return batch.put(some);
    if (dice < 0.75) return batch.get(some);
    if (dice < 0.8) return batch.exists(some);
    if (dice < 0.85) return batch.info(some);
    return batch.remove(some);
  }

  const act = (among: readonly ModelKey[]): Promise<unknown> =>
    random.chance(0.5) ? actSingly(random.pick(among)) : actOnMany(among);

  /** Concurrent reads, which share engine reads. A disconnect of one must not affect the others. */
  const readTogether = (shuffled: readonly ModelKey[]): Promise<unknown> => {
    const [key] = shuffled as [ModelKey];
    return Promise.all([single.get(key), batch.get(shuffled.slice(0, 3)), single.get(key)]);
  };

  return {
    /** Makes all random choices before the first response, so that a seed repeats them. */
    async step(): Promise<void> {
      const shuffled = random.shuffle(keys);
      const dice = random.next();
      if (dice < 0.05) await readTogether(shuffled);
      else if (dice < 0.85) await act(shuffled);
      else {
        const half = shuffled.length / 2;
        await Promise.all([act(shuffled.slice(0, half)), act(shuffled.slice(half))]);
      }
    },
    async settle(): Promise<void> {
      for (const key of keys) if (!key.settled) await single.settle(key);
    },
    close: () => player.connections.close(),
  };
}
