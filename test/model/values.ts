/** Values that can be told apart by any of their bytes, made anew from their number whenever needed. */

/** A value of the model: `version` makes the bytes, `length` how many. */
export interface Value {
  readonly version: number;
  readonly length: number;
}

export function bytesOf({ version, length }: Value): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = Math.imul(version + 1, 0x9e3779b1) | 1;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    state = Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5;
    bytes.writeInt32LE(state | 0, at);
  }
  for (; at < length; at += 1) bytes[at] = version + at;
  return bytes;
}

/** Numbers that a seed decides, so that a run can be made again. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    /** A whole number from `least` to below `end`. */
    between: (least: number, end: number): number => least + Math.floor(next() * (end - least)),
    pick: <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T,
    chance: (probability: number): boolean => next() < probability,
  };
}

export type Random = ReturnType<typeof createRandom>;
