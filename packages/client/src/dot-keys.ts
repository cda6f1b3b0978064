import { keysCall, putCall } from './batch/calls.ts';
import { deletions, infos, outcomes } from './batch/readings.ts';
import {
  absent,
  type GetResult,
  openObjects,
  readOnly,
  readValues,
  requireDone,
} from './batch/results.ts';
import { undefinedIfMissing } from './gateway-error.ts';
import type { Bytes, GetOptions, Objects } from './objects.ts';
import { partOf, requireRange } from './range.ts';
import type { SafetensorsFile } from './safetensors/reader.ts';
import type { SizedBytes } from './safetensors/writer.ts';
import { isDotKey } from './target.ts';
import type { RequestBody, Transport } from './transport.ts';

/** The operations of `plain`; keys that no path can contain are sent as batches of one. */
export function withDotKeys(plain: Objects, transport: Transport): Objects {
  const dots = createDotObjects(transport);
  const of = (key: string) => (isDotKey(key) ? dots : plain);
  return {
    put: (key, value, options) => of(key).put(key, value, options),
    get: (key, options) => of(key).get(key, options),
    getStream: (key, options) => of(key).getStream(key, options),
    info: (key, options) => of(key).info(key, options),
    // It always sends a batch.
    has: (key, options) => plain.has(key, options),
    delete: (key, options) => of(key).delete(key, options),
  };
}

function createDotObjects(transport: Transport): Omit<Objects, 'has'> {
  async function get(
    key: string,
    { range, signal }: GetOptions = {},
  ): Promise<Uint8Array | undefined> {
    if (range !== undefined) requireRange(range);
    const { value } = await transport(keysCall('get', [key], { signal }), async (response) =>
      requireDone((await readValues(response, [key])).get(key) as GetResult),
    );
    return range === undefined || value === undefined ? value : partOf(value, range);
  }

  return {
    async put(key, value, { contentDigest, ...options } = {}) {
      if (contentDigest !== undefined) {
        throw new RangeError(
          `a digest is not supported for the key '${key}', because it is sent in a batch`,
        );
      }
      const call = putCall([[key, await sizedOf(value)]], options);
      return (await transport(call, readOnly(key, outcomes))).outcome;
    },
    get,
    async getStream(key, options = {}) {
      if (options.range !== undefined) {
        const part = await get(key, options);
        return part && { size: part.length, body: streamOf(part) };
      }
      return undefinedIfMissing(
        transport(keysCall('get', [key], options), async (response) => {
          const { file, size } = await openOnly(response, key);
          return { size, body: file.rest() };
        }),
      );
    },
    info: async (key, options = {}) =>
      (await transport(keysCall('info', [key], options), readOnly(key, infos))).info,
    delete: async (key, options = {}) =>
      (await transport(keysCall('remove', [key], options), readOnly(key, deletions))).deleted,
  };
}

/** The header of a file with one object, whose bytes follow. */
async function openOnly(
  response: Response,
  key: string,
): Promise<{ file: SafetensorsFile; size: number }> {
  const { file, failures } = await openObjects(response);
  const [tensor] = file.tensors;
  if (tensor?.name === key) return { file, size: tensor.bytes };
  await file.cancel();
  throw failures.get(key) ?? absent(key);
}

/** A batch needs the length of a value, so a stream is collected first. */
const sizedOf = async (value: Bytes): Promise<SizedBytes> =>
  value instanceof ReadableStream ? new Response(value).blob() : value;

const streamOf = (bytes: Uint8Array): ReadableStream<Uint8Array> =>
  new Response(bytes as RequestBody).body as ReadableStream<Uint8Array>;
