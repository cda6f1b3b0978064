import { SAFETENSORS_TYPE } from './batch-calls.ts';
import { cutTexts, type LayerCut } from './layer-cut.ts';
import { type Outcome, outcomeOf } from './objects.ts';
import { openSafetensors } from './safetensors-reader.ts';
import { type SizedBytes, safetensorsOf } from './safetensors-writer.ts';
import { isDotKey, type Placement, pathOfKey, queryOf } from './target.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface PutLayersOptions extends Placement, CallOptions {
  /** Name of sizes that the gateway knows, which the layers must have: others are 422. */
  readonly layout?: string;
}

export interface GetLayersOptions extends LayerCut, CallOptions {}

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
    getLayers: async (key, { signal, ...cut }) =>
      transport(
        {
          method: 'GET',
          path: `${layersPath(key)}${queryOf(cutTexts(cut))}`,
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
