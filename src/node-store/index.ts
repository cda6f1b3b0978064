/** The store for Node programs, without HTTP. */
export { type MmcCode, mmcCodes } from '../errors/engine-codes.ts';
export {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineLoadError,
  EngineStuckError,
  MmcError,
  UntrustedReadError,
} from '../native/abi/errors.ts';
export type { Arena, ArenaStats, Block, Medium, Replica } from '../native/abi/types.ts';
export { exitNow } from '../os/process-exit.ts';
export type { IfExists, PutOutcome, StorePutOptions } from './arguments.ts';
export type { ItemResult } from './item-results.ts';
export { type OpenStoreOptions, openStore } from './open-store.ts';
export type { ObjectInfo, Store, StoreBytes } from './store.ts';
