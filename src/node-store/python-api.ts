/** The store with the method names of the engine's Python class. */
export {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineLoadError,
  EngineStuckError,
  MmcError,
  UntrustedReadError,
} from '../native/abi/errors.ts';
export { MmcCopyDirect } from './copy-direct.ts';
export { DistributedObjectStore } from './distributed-object-store.ts';
export { KeyInfo } from './key-info.ts';
export { ReplicateConfig } from './replicate-config.ts';
export type { StoreOptions } from './store-options.ts';
export type { Bytes } from './transfer.ts';
