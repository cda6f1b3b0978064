import { keysCall } from './batch-calls.ts';
import { type BatchItem, missing, type ObjectFile, openObjects } from './batch-items.ts';
import { cutTexts, type LayerCut } from './layer-cut.ts';
import type { CallOptions, Transport } from './transport.ts';

/** `layers` has the selected layers by their numbers, in the order of `select`. */
export type LayersItem = BatchItem<{
  readonly key: string;
  readonly status: 200;
  readonly code: 0;
  readonly layers: ReadonlyMap<number, Uint8Array>;
}>;

/** Reads objects that are all cut in the same way. The items of a duplicate key share their bytes. */
export async function batchGetLayers(
  transport: Transport,
  keys: readonly string[],
  { signal, ...cut }: LayerCut & CallOptions,
): Promise<LayersItem[]> {
  const names = [...new Set(keys)];
  const call = keysCall('get', names, { signal }, { layers: cutTexts(cut) });
  const found = await transport(call, async (response) =>
    readLayers(await openObjects(response), names),
  );
  return keys.map((key) => found.get(key) as LayersItem);
}

/** The name of a tensor is the key, a slash and the number of the layer. */
async function readLayers(
  { failures, file }: ObjectFile,
  keys: readonly string[],
): Promise<Map<string, LayersItem>> {
  try {
    const items = new Map<string, LayersItem>(failures);
    for (const { name } of file.tensors) {
      const slash = name.lastIndexOf('/');
      const key = name.slice(0, slash);
      const layers = layersIn(items, key);
      layers.set(Number(name.slice(slash + 1)), await file.next());
    }
    await file.end();
    for (const key of keys) if (!items.has(key)) throw missing(key);
    return items;
  } finally {
    await file.cancel();
  }
}

function layersIn(items: Map<string, LayersItem>, key: string): Map<number, Uint8Array> {
  const item = items.get(key);
  if (item?.problem === undefined && item !== undefined) {
    return item.layers as Map<number, Uint8Array>;
  }
  const layers = new Map<number, Uint8Array>();
  items.set(key, { key, status: 200, code: 0, layers });
  return layers;
}
