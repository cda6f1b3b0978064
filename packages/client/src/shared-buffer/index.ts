/**
 * Shared memory between a Node program and a gateway on the same machine: the gateway moves objects
 * between it and the pool, and no bytes travel over HTTP. Only for Node on Linux.
 */
/// <reference lib="esnext.disposable" preserve="true" />
export type {
  BufferGetEntry,
  BufferGetResult,
  BufferPutEntry,
  BufferPutResult,
  BufferRange,
} from './items.ts';
export type { GatewayPlace, SharedBufferOptions } from './options.ts';
export { type BufferInfo, type BufferPutOptions, SharedBuffer } from './shared-buffer.ts';
