import { SAFETENSORS_TYPE } from './batch-calls.ts';
import { type Outcome, outcomeOf } from './objects.ts';
import { openSafetensors } from './safetensors-reader.ts';
import { type SizedBytes, safetensorsOf } from './safetensors-writer.ts';
import { isDotKey, type Placement, pathOfKey, queryOf } from './target.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface PutLayersOptions extends Placement, CallOptions {
  /** Name of sizes that the gateway knows, which the layers must have: others are 422. */
  readonly layout?: string;
}

/** How the object is cut, since sizes are not stored: by one of `sizes` and `layout`. */
export interface GetLayersOptions extends CallOptions {
  /** Bytes of each layer, in order: together the size of the object, else it is 422. */
  readonly sizes?: readonly number[];
  /** Name of sizes that the gateway was started with (`--layout`). */
  readonly layout?: string;
  /** Numbers of the layers wanted, each once; all without it. */
  readonly select?: readonly number[];
}

/** Objects of layers. The methods reject as those of single objects do. */
export interface Layers {
  /** Stores the layers, one behind the other, as one object. */
  putLayers(
    key: string,
    layers: readonly SizedBytes[],
    options?: PutLayersOptions,
  ): Promise<Outcome>;
  /** The layers by their numbers, in the order selected. */
  getLayers(key: string, options: GetLayersOptions): Promise<Map<number, Uint8Array>>;
}

/** No batch stands in for the keys that no path can name: those are refused with RangeError. */
export function createLayers(transport: Transport): Layers {
  return {
    putLayers: async (key, layers, { signal, layout, ...placement } = {}) =>
      transport(
        {
          method: 'PUT',
          path: `${layersPath(key)}${queryOf({ ...placement, layout })}`,
          safe: false,
          signal,
          body: safetensorsOf(layers.map((layer, number) => [String(number), layer] as const)),
          headers: { 'Content-Type': SAFETENSORS_TYPE },
        },
        outcomeOf,
      ),
    getLayers: async (key, { signal, sizes, layout, select }) =>
      transport(
        {
          method: 'GET',
          path: `${layersPath(key)}${queryOf({
            sizes: sizes && sizesText(sizes),
            layout,
            select: select && selectText(select),
          })}`,
          safe: true,
          signal,
          headers: { Accept: SAFETENSORS_TYPE },
        },
        readLayers,
      ),
  };
}

async function readLayers({ body }: Response): Promise<Map<number, Uint8Array>> {
  const file = await openSafetensors(body);
  try {
    const layers = new Map<number, Uint8Array>();
    for (const { name } of file.tensors) layers.set(Number(name), await file.next());
    await file.end();
    return layers;
  } finally {
    await file.cancel();
  }
}

function layersPath(key: string): string {
  if (isDotKey(key)) throw new RangeError(`the key '${key}' cannot stand in a URL`);
  return `/v1/layers/${pathOfKey(key)}`;
}

/** Runs of one size are named once: `131072x61,16384x61`. */
function sizesText(sizes: readonly number[]): string {
  return runsOf(sizes, (size, before) => size === before)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first}x${count}`))
    .join(',');
}

/** Runs of numbers that follow each other are ranges: `0-3,61`. */
function selectText(select: readonly number[]): string {
  return runsOf(select, (number, before) => number === before + 1)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

interface Run {
  readonly first: number;
  last: number;
  count: number;
}

function runsOf(
  numbers: readonly number[],
  goesOn: (next: number, last: number) => boolean,
): Run[] {
  const runs: Run[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run === undefined || !goesOn(number, run.last)) {
      runs.push({ first: number, last: number, count: 1 });
    } else {
      run.last = number;
      run.count += 1;
    }
  }
  return runs;
}
