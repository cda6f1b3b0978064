/** Layouts: how objects are cut into layers, by name. Sizes are read here for requests too. */
import type { Kind, Reading } from './kinds.ts';

/** The engine's own limit for layers of one object (reference: its Python API). */
export const MAX_LAYERS = 255;
const LONGEST_NAME = 64;
/** The most characters of a list of sizes, in a layout and in a request. */
const LONGEST_SIZES = 4096;

export interface Layout {
  readonly name: string;
  /** Bytes of each layer. */
  readonly sizes: readonly number[];
}

/**
 * Reads `131072x61,16384x61`: the bytes of each layer, in order, with the number of such layers. At
 * most 255 layers of 1 byte or more. A fault is the end of a sentence.
 */
export function readLayerSizes(text: string): Reading<readonly number[]> {
  if (text.length > LONGEST_SIZES) return { fault: `is longer than ${LONGEST_SIZES} characters` };
  const sizes: number[] = [];
  for (const word of text.split(',')) {
    const found = /^(\d{1,15})(?:x(\d{1,15}))?$/.exec(word);
    const bytes = Number(found?.[1]);
    const count = Number(found?.[2] ?? 1);
    if (found === null || bytes === 0 || count === 0) {
      return { fault: `has "${shown(word)}"; write bytes, or bytes x count: 131072x61,16384x61` };
    }
    if (sizes.length + count > MAX_LAYERS) {
      return { fault: `has more than ${MAX_LAYERS} layers` };
    }
    for (let i = 0; i < count; i++) sizes.push(bytes);
  }
  return { value: sizes };
}

/** `131072x61,16384x61` of sizes, as short as it can be. */
export function writeLayerSizes(sizes: readonly number[]): string {
  const runs: string[] = [];
  for (let from = 0; from < sizes.length; ) {
    let to = from;
    while (to < sizes.length && sizes[to] === sizes[from]) to++;
    runs.push(to - from === 1 ? `${sizes[from]}` : `${sizes[from]}x${to - from}`);
    from = to;
  }
  return runs.join(',');
}

/** Layouts, separated by semicolons since sizes have commas, or the flag several times. */
export function layouts(): Kind<readonly Layout[]> {
  return {
    placeholder: 'NAME=SIZES',
    accepts: 'names and sizes',
    read(text) {
      const value: Layout[] = [];
      for (const word of text.split(';')) {
        const [name = '', ...rest] = word.trim().split('=');
        if (!/^[A-Za-z0-9._-]+$/.test(name) || name.length > LONGEST_NAME || rest.length !== 1) {
          return {
            fault: `"${shown(word)}" is not a layout; give a name of letters, digits, "." "_" "-" and sizes: deepseek-r1=131072x61,16384x61`,
          };
        }
        const sizes = readLayerSizes(rest[0] ?? '');
        if ('fault' in sizes) return { fault: `layout ${name} ${sizes.fault}` };
        value.push({ name, sizes: sizes.value });
      }
      return joinLayouts([value]);
    },
    join: joinLayouts,
    write: (value) => value.map(({ name, sizes }) => `${name}=${writeLayerSizes(sizes)}`).join(';'),
  };
}

function joinLayouts(parts: readonly (readonly Layout[])[]): Reading<readonly Layout[]> {
  const value = parts.flat();
  const names = value.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  return twice === undefined
    ? { value }
    : { fault: `names layout ${twice} twice; give each name once` };
}

const shown = (text: string): string => text.slice(0, 64).replaceAll(/[\p{C}'"]/gu, '\uFFFD');
