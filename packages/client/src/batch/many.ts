import type { LayerCut } from '../layer-cut.ts';
import type { ObjectInfo, Objects } from '../objects.ts';
import type { SizedBytes } from '../safetensors/writer.ts';
import type { CallOptions, Transport } from '../transport.ts';
import { keysCall } from './calls.ts';
import { getLayersMany, type LayersResult } from './get-layers-many.ts';
import { type PutManyOptions, type PutResult, putMany } from './put-many.ts';
import { deletions, infos, presence, readLeading } from './readings.ts';
import { getReserved, RESERVED } from './reserved-key.ts';
import {
  type GetResult,
  type ItemResult,
  type KeyedResult,
  openObjects,
  type Reading,
  readResults,
  readValues,
  valuesIn,
} from './results.ts';

/**
 * Many objects in one request. There is a result for each key, in the order of the request. The methods
 * reject only if the whole request is refused (GatewayError) or breaks off (TypeError, like fetch).
 */
export interface Many {
  /** Each value; undefined if no object has the key. The results of a duplicate key share their bytes. */
  getMany(keys: readonly string[], options?: CallOptions): Promise<GetResult[]>;
  /**
   * Like `getMany`, each result as it arrives, so that only one value is held at a time: once for each
   * key, in the order of the request, but `__metadata__` last. The request is sent at the first read. It
   * is not retried after the response has begun.
   */
  getEach(
    keys: readonly string[],
    options?: CallOptions,
  ): AsyncIterable<KeyedResult<{ value: Uint8Array | undefined }>>;
  /**
   * Stores each entry, with the same options for all. Of a duplicate key the first value counts, and the
   * others are `object-exists`.
   */
  putMany(
    entries: Iterable<readonly [key: string, value: SizedBytes]>,
    options?: PutManyOptions,
  ): Promise<PutResult[]>;
  hasMany(
    keys: readonly string[],
    options?: CallOptions,
  ): Promise<ItemResult<{ exists: boolean }>[]>;
  /**
   * The number of keys, from the first on, whose objects can be read. A missing object ends the count, and
   * so does an object that is being written. A miss near the start is cheaper than with `hasMany`.
   */
  countLeading(keys: readonly string[], options?: CallOptions): Promise<number>;
  /** For a duplicate key, only the first result can be true. */
  deleteMany(
    keys: readonly string[],
    options?: CallOptions,
  ): Promise<ItemResult<{ deleted: boolean }>[]>;
  infoMany(
    keys: readonly string[],
    options?: CallOptions,
  ): Promise<ItemResult<{ info: ObjectInfo | undefined }>[]>;
  /**
   * Like `getMany`, with each object cut into layers in the same way, and only the selected ones. An object
   * of another size fails with `layers-mismatch`.
   */
  getLayersMany(keys: readonly string[], options: LayerCut & CallOptions): Promise<LayersResult[]>;
}

export function createMany(transport: Transport, objects: Pick<Objects, 'put' | 'get'>): Many {
  const asking =
    <Item extends { key: string }, Done extends object>(
      operation: 'exists' | 'info' | 'remove',
      reading: Reading<Item, Done>,
    ) =>
    (keys: readonly string[], options: CallOptions = {}) =>
      transport(keysCall(operation, keys, options), (response) =>
        readResults(response, keys, reading),
      );

  async function* getEach(keys: readonly string[], options: CallOptions = {}) {
    const names = namesIn(keys);
    const opened = await transport(keysCall('get', names, options), openObjects);
    for await (const result of valuesIn(opened, names)) {
      options.signal?.throwIfAborted();
      yield result;
    }
    if (keys.includes(RESERVED)) yield { key: RESERVED, ...(await getReserved(objects, options)) };
  }

  async function getMany(keys: readonly string[], options: CallOptions = {}): Promise<GetResult[]> {
    const names = namesIn(keys);
    const found = await transport(keysCall('get', names, options), (response) =>
      readValues(response, names),
    );
    if (keys.includes(RESERVED)) found.set(RESERVED, await getReserved(objects, options));
    return keys.map((key) => found.get(key) as GetResult);
  }

  return {
    getMany,
    getEach,
    putMany: (entries, options = {}) => putMany(transport, objects, entries, options),
    hasMany: asking('exists', presence),
    countLeading: (keys, options = {}) =>
      transport(keysCall('exists', keys, options, { until: 'missing' }), (response) =>
        readLeading(response, keys.length),
      ),
    deleteMany: asking('remove', deletions),
    infoMany: asking('info', infos),
    getLayersMany: (keys, options) => getLayersMany(transport, keys, options),
  };
}

/** The keys that fit one safetensors file: each once, without the reserved one. */
const namesIn = (keys: readonly string[]): string[] =>
  [...new Set(keys)].filter((key) => key !== RESERVED);
