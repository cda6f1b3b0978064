import { optionsArgument } from './arguments.ts';
import { Store } from './store.ts';
import { StoreConnection } from './store-connection.ts';
import { type StoreOptions, storeOptionNames } from './store-options.ts';

export interface OpenStoreOptions extends StoreOptions {
  /** The device of this client, 0…383; 0 by default. */
  readonly device?: number;
}

/**
 * Joins the pool and resolves with a store that is ready. Close it, or declare it with `await using`. A
 * process has one open store at a time; several need several processes.
 *
 * @throws EngineLoadError with advice; TypeError for an unknown option; RangeError for an option out of
 * its range.
 */
export async function openStore(options: OpenStoreOptions = {}): Promise<Store> {
  optionsArgument(options, ['device', ...storeOptionNames]);
  const { device = 0, ...others } = options;
  return new Store(await StoreConnection.open(others, device));
}
