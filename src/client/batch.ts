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
 * Many objects in one request. Each item has its own status and code, and a `problem` if it failed. The
 * methods reject only if the whole request is refused (GatewayError) or breaks off (TypeError, like
 * fetch).
 */
export interface Batch {
  /** Stores the values. Of a duplicate key the first value counts, and the others are `object-exists`. */
  put(
    values: Iterable<readonly [key: string, value: SizedBytes]>,
    options?: BatchPutOptions,
  ): Promise<PutItem[]>;
  /** In the order of the request; the items of a duplicate key share their bytes. */
  get(keys: readonly string[], options?: CallOptions): Promise<GetItem[]>;
  /**
   * Like `get`, each item as it arrives, so that only one is held at a time: once for each key, in the
   * order of the request, but `__metadata__` last. The request is sent at the first read. It is not retried
   * after the response has begun.
   */
  getEach(keys: readonly string[], options?: CallOptions): AsyncIterable<GetItem>;
  /**
   * Like `get`, with each object cut into layers in the same way, and only the selected ones. An object of
   * another size fails with `layers-mismatch`.
   */
  getLayers(keys: readonly string[], options: LayerCut & CallOptions): Promise<LayersItem[]>;
  /** A missing object is a result and not a failure. */
  exists(keys: readonly string[], options?: CallOptions): Promise<ExistsItem[]>;
  info(keys: readonly string[], options?: CallOptions): Promise<InfoItem[]>;
  /** A missing object is a failure; for a duplicate key, the second item fails. */
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

/** The keys that fit one safetensors file: each once, without the reserved one. */
const namesIn = (keys: readonly string[]): string[] =>
  [...new Set(keys)].filter((key) => key !== RESERVED);
