import { cutTexts, type LayerCut, layersInOrder } from '../layer-cut.ts';
import type { CallOptions, Transport } from '../transport.ts';
import { keysCall } from './calls.ts';
import { absent, failed, type ItemResult, type ObjectFile, openObjects } from './results.ts';

/** A missing object has no layers. */
export type LayersResult = ItemResult<{ layers: Uint8Array[] | undefined }>;

/** Reads objects that are all cut in the same way. The results of a duplicate key share their bytes. */
export async function getLayersMany(
  transport: Transport,
  keys: readonly string[],
  { signal, ...cut }: LayerCut & CallOptions,
): Promise<LayersResult[]> {
  const names = [...new Set(keys)];
  const call = keysCall('get', names, { signal }, { layers: cutTexts(cut) });
  const found = await transport(call, async (response) =>
    readLayers(await openObjects(response), names, cut),
  );
  return keys.map((key) => found.get(key) as LayersResult);
}

/** The name of a tensor is the key, a slash and the number of the layer. */
async function readLayers(
  { failures, file }: ObjectFile,
  keys: readonly string[],
  cut: LayerCut,
): Promise<Map<string, LayersResult>> {
  try {
    const byKey = new Map<string, Map<number, Uint8Array>>();
    for (const { name } of file.tensors) {
      const slash = name.lastIndexOf('/');
      const key = name.slice(0, slash);
      const layers = byKey.get(key) ?? new Map<number, Uint8Array>();
      byKey.set(key, layers.set(Number(name.slice(slash + 1)), await file.next()));
    }
    await file.end();
    return new Map(keys.map((key) => [key, resultOf(key, byKey.get(key), failures, cut)]));
  } finally {
    await file.cancel();
  }
}

function resultOf(
  key: string,
  layers: ReadonlyMap<number, Uint8Array> | undefined,
  failures: ObjectFile['failures'],
  cut: LayerCut,
): LayersResult {
  if (layers !== undefined) return { ok: true, layers: layersInOrder(layers, cut) };
  const error = failures.get(key);
  if (error === undefined) throw absent(key);
  return failed(error, { layers: undefined });
}
