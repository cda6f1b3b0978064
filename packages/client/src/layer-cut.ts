/** How objects are cut into layers, because sizes are not stored: give `sizes` or `layout`. */
export interface LayerCut {
  /** Bytes of each layer, in order. They must add up to the size of the object; otherwise 422. */
  readonly sizes?: readonly number[] | undefined;
  /** Name of sizes that the operator has configured (`--layout`). */
  readonly layout?: string | undefined;
  /** Numbers of the wanted layers, each at most once; all layers if absent. */
  readonly select?: readonly number[] | undefined;
}

/** The form that the gateway accepts. */
export const cutTexts = ({ sizes, layout, select }: LayerCut) => ({
  sizes: sizes && sizesText(sizes),
  layout,
  select: select && selectText(select),
});

/** The selected layers, or all. Throws SyntaxError if the response has other layers. */
export function layersInOrder(
  layers: ReadonlyMap<number, Uint8Array>,
  { select = Array.from({ length: layers.size }, (_, number) => number) }: LayerCut,
): Uint8Array[] {
  return select.map((number) => {
    const layer = layers.get(number);
    if (layer === undefined || layers.size !== select.length) {
      throw new SyntaxError(`the response has other layers than requested, at layer ${number}`);
    }
    return layer;
  });
}

/** Equal sizes in sequence are combined: `131072x61,16384x61`. */
function sizesText(sizes: readonly number[]): string {
  return runsOf(sizes, (size, before) => size === before)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first}x${count}`))
    .join(',');
}

/** Consecutive numbers are combined to ranges: `0-3,61`. */
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
