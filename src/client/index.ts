/**
 * A client of the gateway for Node and browsers: it needs `fetch`, and nothing else.
 */
import { type Batch, createBatch } from './batch.ts';
import { withDotKeys } from './dot-keys.ts';
import { createLayers, type Layers } from './layers.ts';
import { createObjects, type Objects } from './objects.ts';
import { type ClientOptions, createTransport } from './transport.ts';

export interface Client extends Objects, Layers {
  readonly batch: Batch;
}

/** Keeps nothing open: there is nothing to close. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const objects = withDotKeys(createObjects(transport), transport);
  return { ...objects, ...createLayers(transport), batch: createBatch(transport, objects) };
}

export type { Batch } from './batch.ts';
export type {
  BatchItem,
  ExistsItem,
  GetItem,
  InfoItem,
  ItemFailure,
  PutItem,
  RemoveItem,
} from './batch-items.ts';
export type { LayersItem } from './batch-layers.ts';
export type { BatchPutOptions } from './batch-put.ts';

export { GatewayError, type Problem } from './gateway-error.ts';
export type { LayerCut } from './layer-cut.ts';
export type { GetLayersOptions, PutLayersOptions } from './layers.ts';
export type {
  Bytes,
  GetOptions,
  KeyInfo,
  ObjectStream,
  Outcome,
  PutOptions,
} from './objects.ts';
export type { SizedBytes } from './safetensors-writer.ts';
export type { Placement } from './target.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
