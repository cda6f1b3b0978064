/** A client of the gateway for Node and browsers; it needs only `fetch`. */
import { checkOptions } from './arguments.ts';
import { type Batch, createBatch } from './batch.ts';
import { checkedBatch, checkedLayers, checkedObjects } from './checked-client.ts';
import { withDotKeys } from './dot-keys.ts';
import { createLayers, type Layers } from './layers.ts';
import { createObjects, type Objects } from './objects.ts';
import { type ClientOptions, createTransport } from './transport.ts';

export interface Client extends Objects, Layers {
  readonly batch: Batch;
}

const clientOptions = ['baseUrl', 'headers', 'retries', 'retryDelayMs', 'fetch'];

/**
 * The client keeps nothing open, so there is nothing to close. An argument that a method does not accept,
 * such as an unknown option, is a TypeError that names it, before any request.
 */
export function createClient(options: ClientOptions): Client {
  checkOptions(options, clientOptions);
  const transport = createTransport(options);
  const objects = withDotKeys(createObjects(transport), transport);
  return {
    ...checkedObjects(objects),
    ...checkedLayers(createLayers(transport)),
    batch: checkedBatch(createBatch(transport, objects)),
  };
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
