/** Values that differ in their bytes, and that can be produced again from their number. */

/** A value of the model: `version` determines its bytes, `length` their number. */
export interface Value {
  readonly version: number;
  readonly length: number;
}

/** Each version begins at another place of the same bytes, so that no value must be produced. */
const PLACES = 1 << 23;
const LONGEST = 8 << 20;
const all = allBytes(PLACES + LONGEST);

/** Returns a shared view: the caller must not write to it. */
export function bytesOf({ version, length }: Value): Buffer {
  const start = Math.imul(version, 0x9e3779b1) & (PLACES - 1);
  return all.subarray(start, start + length);
}

function allBytes(length: number): Buffer {
  const words = new Int32Array(length / 4);
  const { next } = createRandom(1);
  for (let at = 0; at < words.length; at += 1) words[at] = next() * 2 ** 32;
  return Buffer.from(words.buffer);
}

/** Returns a generator of numbers that depend on the seed only, so that a run can be repeated. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  /** A whole number from `least` to below `end`. */
  const between = (least: number, end: number): number =>
    least + Math.floor(next() * (end - least));
  return {
    next,
    between,
    shuffle<T>(from: readonly T[]): T[] {
      const shuffled = [...from];
      for (let at = shuffled.length - 1; at > 0; at -= 1) {
        const other = between(0, at + 1);
        [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
      }
      return shuffled;
    },
    pick: <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T,
    chance: (probability: number): boolean => next() < probability,
  };
}

export type Random = ReturnType<typeof createRandom>;

/** Lengths around all limits of the gateway: one write, calls on this thread, direct reads. */
const LENGTHS = [1, 7, 100, 1024, 14_336, 14_337, 65_536, 131_072, 131_073, 200_000, 700_001];

export function lengthOf(random: Random): number {
  const length = random.pick(LENGTHS);
  return random.chance(0.5) ? length : random.between(1, length + 1);
}
