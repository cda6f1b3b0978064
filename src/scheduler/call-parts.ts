import { MAX_BATCH_KEYS } from '../native/abi/limits.ts';

/** Bounds of an engine call beside the number of its keys. */
export interface PartRules {
  /** Bytes in one call; an item that has more goes alone. */
  readonly maxBytes: number;
  readonly bytesAt: (index: number) => number;
  /** Items that need no key in the call; by default every item needs one. */
  readonly skips?: (index: number) => boolean;
}

/**
 * The end of the engine call that begins with item `from` of `count`. The engine takes at most 16,384
 * keys in one call (docs/engine-facts.md §6).
 */
export function partEnd(from: number, count: number, rules?: PartRules): number {
  if (rules === undefined) return Math.min(count, from + MAX_BATCH_KEYS);
  const { maxBytes, bytesAt, skips } = rules;
  let keys = 0;
  let bytes = 0;
  let to = from;
  for (; to < count; to++) {
    if (skips?.(to) === true) continue;
    const more = bytesAt(to);
    if (keys === MAX_BATCH_KEYS || (bytes > 0 && bytes + more > maxBytes)) break;
    keys += 1;
    bytes += more;
  }
  return to;
}
