import { SAFETENSORS_TYPE } from './batch/calls.ts';
import { undefinedIfMissing } from './gateway-error.ts';
import { cutTexts, type LayerCut, layersInOrder } from './layer-cut.ts';
import { outcomeOf, type PutOutcome } from './objects.ts';
import { openSafetensors } from './safetensors/reader.ts';
import { type SizedBytes, safetensorsOf } from './safetensors/writer.ts';
import { isDotKey, type Placement, pathOfKey, queryOf } from './target.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface PutLayersOptions extends Placement, CallOptions {
  /** Name of sizes that the gateway knows; the layers must have them, otherwise the put gets 422. */
  readonly layout?: string | undefined;
}

export interface GetLayersOptions extends LayerCut, CallOptions {}

/** Objects of layers. The methods reject like those for single objects. */
export interface Layers {
  /** Stores the concatenation of the layers as one object. */
  putLayers(
    key: string,
    layers: readonly SizedBytes[],
    options?: PutLayersOptions,
  ): Promise<PutOutcome>;
  /** The layers, in the order of `select`; undefined if no object has this key. */
  getLayers(key: string, options: GetLayersOptions): Promise<Uint8Array[] | undefined>;
}

/** Keys that no path can contain are refused with RangeError: batches do not replace these methods. */
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
      undefinedIfMissing(
        transport(
          {
            method: 'GET',
            path: `${layersPath(key)}${queryOf(cutTexts(cut))}`,
            safe: true,
            signal,
            headers: { Accept: SAFETENSORS_TYPE },
          },
          (response) => readLayers(response, cut),
        ),
      ),
  };
}

async function readLayers({ body }: Response, cut: LayerCut): Promise<Uint8Array[]> {
  const file = await openSafetensors(body);
  try {
    const layers = new Map<number, Uint8Array>();
    for (const { name } of file.tensors) layers.set(Number(name), await file.next());
    await file.end();
    return layersInOrder(layers, cut);
  } finally {
    await file.cancel();
  }
}

function layersPath(key: string): string {
  if (isDotKey(key)) throw new RangeError(`the key '${key}' cannot be part of a URL`);
  return `/v1/layers/${pathOfKey(key)}`;
}
