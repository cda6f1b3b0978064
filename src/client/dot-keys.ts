import type { components } from '../generated/openapi.ts';
import { keysCall, putCall } from './batch-calls.ts';
import {
  type BatchItem,
  type GetItem,
  missing,
  openObjects,
  readItems,
  readObjects,
  requireDone,
} from './batch-items.ts';
import { GatewayError } from './gateway-error.ts';
import type { Bytes, GetOptions, Objects } from './objects.ts';
import { partOf, requireRange } from './range.ts';
import type { SafetensorsFile } from './safetensors-reader.ts';
import type { SizedBytes } from './safetensors-writer.ts';
import { isDotKey } from './target.ts';
import type { CallOptions, RequestBody, Transport } from './transport.ts';

type Schemas = components['schemas'];

/** The operations of `plain`; keys that no path can contain are sent as batches of one. */
export function withDotKeys(plain: Objects, transport: Transport): Objects {
  const dots = createDotObjects(transport);
  const of = (key: string): Objects => (isDotKey(key) ? dots : plain);
  return {
    put: (key, value, options) => of(key).put(key, value, options),
    get: (key, options) => of(key).get(key, options),
    getStream: (key, options) => of(key).getStream(key, options),
    info: (key, options) => of(key).info(key, options),
    exists: (key, options) => of(key).exists(key, options),
    remove: (key, options) => of(key).remove(key, options),
  };
}

/** Throws the problem of a failed item inside the call, so that the call is retried like a single one. */
function createDotObjects(transport: Transport): Objects {
  const about = <Item extends { key: string }>(
    operation: 'exists' | 'info' | 'remove',
    key: string,
    options: CallOptions,
  ) => transport(keysCall(operation, [key], options), only<Item>(key));

  async function get(key: string, { range, signal }: GetOptions = {}): Promise<Uint8Array> {
    if (range !== undefined) requireRange(range);
    const { value } = await transport(keysCall('get', [key], { signal }), async (response) =>
      requireDone((await readObjects(response, [key])).get(key) as GetItem),
    );
    return range === undefined ? value : partOf(value, range);
  }

  return {
    async put(key, value, { contentDigest, ...options } = {}) {
      if (contentDigest !== undefined) {
        throw new RangeError(
          `a digest is not supported for the key '${key}', because it is sent in a batch`,
        );
      }
      const sized = await sizedOf(value);
      const call = putCall([[key, sized]], options);
      return (await transport(call, only<Schemas['BatchPutItem']>(key))).outcome;
    },
    get,
    async getStream(key, options = {}) {
      if (options.range !== undefined) {
        const part = await get(key, options);
        return { size: part.length, body: streamOf(part) };
      }
      return transport(keysCall('get', [key], options), async (response) => {
        const { file, size } = await openOnly(response, key);
        return { size, body: file.rest() };
      });
    },
    async info(key, options = {}) {
      const { size, replicas } = await about<Schemas['BatchInfoItem']>('info', key, options);
      return { key, size, replicas };
    },
    exists: async (key, options = {}) =>
      (await about<Schemas['BatchExistsItem']>('exists', key, options)).exists,
    async remove(key, options = {}) {
      await about<Schemas['BatchRemoveItem']>('remove', key, options);
    },
  };
}

const only =
  <Item extends { key: string }>(key: string) =>
  async (response: Response): Promise<Item> => {
    const [item] = await readItems<Item>(response, [key]);
    return requireDone(item as BatchItem<Item>);
  };

/** The header of a file with one object, whose bytes follow. */
async function openOnly(
  response: Response,
  key: string,
): Promise<{ file: SafetensorsFile; size: number }> {
  const { file, failures } = await openObjects(response);
  const failure = failures.get(key);
  const [tensor] = file.tensors;
  if (tensor?.name === key) return { file, size: tensor.bytes };
  await file.cancel();
  throw failure === undefined ? missing(key) : new GatewayError(failure.problem);
}

/** A batch needs the length of a value, so a stream is collected first. */
const sizedOf = async (value: Bytes): Promise<SizedBytes> =>
  value instanceof ReadableStream ? new Response(value).blob() : value;

const streamOf = (bytes: Uint8Array): ReadableStream<Uint8Array> =>
  new Response(bytes as RequestBody).body as ReadableStream<Uint8Array>;
