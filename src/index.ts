/** The store for a Node program of its own, without HTTP. */
export { type MmcCode, mmcCodes } from './native/codes.ts';
export { MmcCopyDirect } from './native/copy-direct.ts';
export { DistributedObjectStore } from './native/distributed-object-store.ts';
export {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineLoadError,
  EngineStuckError,
  MmcError,
  UntrustedReadError,
} from './native/errors.ts';
export { KeyInfo } from './native/key-info.ts';
export { exitNow } from './native/process-exit.ts';
export { ReplicateConfig } from './native/replicate-config.ts';
export type { StoreOptions } from './native/store-options.ts';
export type { Bytes } from './native/transfer.ts';
export type { Arena, ArenaStats, Block, DataInfo, Medium, Replica } from './native/types.ts';
