import type { components } from '../generated/openapi.ts';
import { keysCall } from './batch-calls.ts';
import type { ExistsItem, GetItem, InfoItem, PutItem, RemoveItem } from './batch-items.ts';
import { itemsOf, openObjects, readItems, readObjects } from './batch-items.ts';
import { batchGetLayers, type LayersItem } from './batch-layers.ts';
import { type BatchPutOptions, batchPut } from './batch-put.ts';
import type { LayerCut } from './layer-cut.ts';
import type { Objects } from './objects.ts';
import { getReserved, RESERVED } from './reserved-key.ts';
import type { SizedBytes } from './safetensors-writer.ts';
import type { CallOptions, Transport } from './transport.ts';

type Schemas = components['schemas'];

/**
 * Many objects in one request. Each item has its own status and code, and its `problem` where it
 * failed; the methods reject only when the request as a whole is refused (GatewayError) or breaks off
 * (TypeError, as fetch does).
 */
export interface Batch {
  /** Stores the values; of a key that comes twice the first, and the others are `object-exists`. */
  put(
    values: Iterable<readonly [key: string, value: SizedBytes]>,
    options?: BatchPutOptions,
  ): Promise<PutItem[]>;
  /** In the order asked; the items of a key that comes twice share their bytes. */
  get(keys: readonly string[], options?: CallOptions): Promise<GetItem[]>;
  /**
   * As `get`, each item as it arrives, so that one is held at a time: once for each key, in the order
   * asked, but `__metadata__` last. It asks when it is first read; it is not tried again once the
   * answer is there.
   */
  getEach(keys: readonly string[], options?: CallOptions): AsyncIterable<GetItem>;
  /**
   * As `get`, each object cut into layers in the same way, and only those selected. One of another
   * size has failed with `layers-mismatch`.
   */
  getLayers(keys: readonly string[], options: LayerCut & CallOptions): Promise<LayersItem[]>;
  /** A key without an object is an answer, not a failure. */
  exists(keys: readonly string[], options?: CallOptions): Promise<ExistsItem[]>;
  info(keys: readonly string[], options?: CallOptions): Promise<InfoItem[]>;
  /** A key without an object has failed; of one that comes twice, the second. */
  remove(keys: readonly string[], options?: CallOptions): Promise<RemoveItem[]>;
}

export function createBatch(transport: Transport, objects: Pick<Objects, 'put' | 'get'>): Batch {
  const asking =
    <Item extends { key: string }>(operation: 'exists' | 'info' | 'remove') =>
    (keys: readonly string[], options: CallOptions = {}) =>
      transport(keysCall(operation, keys, options), (response) => readItems<Item>(response, keys));

  async function* getEach(keys: readonly string[], options: CallOptions = {}) {
    const names = namesIn(keys);
    const opened = await transport(keysCall('get', names, options), openObjects);
    for await (const item of itemsOf(opened, names)) {
      options.signal?.throwIfAborted();
      yield item;
    }
    if (keys.includes(RESERVED)) yield await getReserved(objects, options);
  }

  async function get(keys: readonly string[], options: CallOptions = {}): Promise<GetItem[]> {
    const names = namesIn(keys);
    const found = await transport(keysCall('get', names, options), (response) =>
      readObjects(response, names),
    );
    if (keys.includes(RESERVED)) found.set(RESERVED, await getReserved(objects, options));
    return keys.map((key) => found.get(key) as GetItem);
  }

  return {
    put: (values, options = {}) => batchPut(transport, objects, values, options),
    get,
    getEach,
    getLayers: (keys, options) => batchGetLayers(transport, keys, options),
    exists: asking<Schemas['BatchExistsItem']>('exists'),
    info: asking<Schemas['BatchInfoItem']>('info'),
    remove: asking<Schemas['BatchRemoveItem']>('remove'),
  };
}

/** What can be asked for in one safetensors file: each name once, and not the one that is reserved. */
const namesIn = (keys: readonly string[]): string[] =>
  [...new Set(keys)].filter((key) => key !== RESERVED);
