import { type Layout, readLayerSizes } from '../../config/layouts.ts';
import { type Layer, type LayerCut, layersOf, sumOf } from '../../store/layers/layers.ts';
import { invalidParameter, printable } from './query.ts';

/** The names of a request's layers, from its query or its JSON body. */
export interface LayerNames {
  readonly sizes?: string | undefined;
  readonly layout?: string | undefined;
  readonly select?: string | undefined;
}

/**
 * Reads how objects are to be cut: `sizes=131072x61,16384x61` or `layout=NAME`, and
 * `select=0-3,61`. Throws `invalid-parameter`.
 */
export function layerCutOf(names: LayerNames, layouts: readonly Layout[]): LayerCut {
  const sizes = layerSizesOf(names, layouts);
  if (sizes === undefined) {
    throw invalidParameter(
      'The sizes of the layers are not stored: send them, sizes=131072x61,16384x61 or layout=NAME.',
    );
  }
  const layers = layersOf(sizes);
  const { select } = names;
  return {
    totalBytes: sumOf(sizes),
    selected: select === undefined ? layers : selectLayers(select, layers),
  };
}

/** The sizes that a request names, or undefined when it names none. Throws `invalid-parameter`. */
export function layerSizesOf(
  { sizes, layout }: LayerNames,
  layouts: readonly Layout[],
): readonly number[] | undefined {
  if (sizes !== undefined && layout !== undefined) {
    throw invalidParameter('Give either sizes or layout, not both.');
  }
  if (layout !== undefined) return layoutNamed(layout, layouts);
  if (sizes === undefined) return undefined;
  const reading = readLayerSizes(sizes);
  if ('fault' in reading) throw invalidParameter(`sizes ${reading.fault}.`);
  if (!Number.isSafeInteger(sumOf(reading.value))) {
    throw invalidParameter('sizes has more bytes together than any object can have.');
  }
  return reading.value;
}

function layoutNamed(name: string, layouts: readonly Layout[]): readonly number[] {
  // The last one of a name counts, as with every flag.
  const found = layouts.findLast((layout) => layout.name === name);
  if (found !== undefined) return found.sizes;
  const known = layouts.length === 0 ? 'none' : layouts.map((layout) => layout.name).join(', ');
  throw invalidParameter(
    `layout=${printable(name)}: this gateway knows ${known} (--layout NAME=SIZES).`,
  );
}

function selectLayers(select: string, layers: readonly Layer[]): Layer[] {
  const selected = new Set<Layer>();
  const last = layers.length - 1;
  for (const word of select.split(',')) {
    const found = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(word);
    const from = Number(found?.[1]);
    const to = Number(found?.[2] ?? from);
    if (found === null || from > to) {
      throw invalidParameter(
        `select has "${printable(word)}": expected numbers of layers and ranges, such as 0-3,61.`,
      );
    }
    if (to > last) {
      throw invalidParameter(`select has layer ${to}: there are ${layers.length}, 0 to ${last}.`);
    }
    for (let number = from; number <= to; number++) {
      const layer = layers[number] as Layer;
      if (selected.has(layer)) throw invalidParameter(`select has layer ${number} twice.`);
      selected.add(layer);
    }
  }
  return [...selected];
}
