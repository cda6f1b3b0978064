import { MAX_KEY_BYTES } from '../native/abi/limits.ts';

/** The last known sizes of objects: a read of such an object needs no query first. */
export interface SizeCache {
  get(key: string): number | undefined;
  learn(key: string, size: number): void;
  forget(key: string): void;
  readonly size: number;
}

/**
 * Remembers at most `maxKeys` sizes. A key that is used moves from the old half to the young half. When
 * the young half is full, the old half is dropped as a whole. So keys that are not used are forgotten
 * first, and a hit costs nothing. A size may be out of date at any time, because another client may have
 * removed or replaced the object. The engine then returns −1 for a read of that length
 * (docs/engine-facts.md §4).
 */
export function createSizeCache(maxKeys: number): SizeCache {
  const half = Math.ceil(maxKeys / 2);
  let young = new Map<string, number>();
  let old = new Map<string, number>();

  function learn(key: string, size: number): void {
    if (half === 0 || size === 0) return;
    if (young.has(key)) {
      young.set(key, size);
      return;
    }
    if (young.size >= half) {
      old = young;
      young = new Map();
    }
    old.delete(key);
    young.set(ownCopy(key), size);
  }

  return {
    learn,
    get(key) {
      const size = young.get(key);
      if (size !== undefined) return size;
      const older = old.get(key);
      if (older !== undefined) learn(key, older);
      return older;
    },
    forget(key) {
      young.delete(key);
      old.delete(key);
    },
    get size() {
      return young.size + old.size;
    },
  };
}

const copyBuffer = Buffer.alloc(MAX_KEY_BYTES);

/**
 * V8 does not copy a part of a string but refers to the whole: without a copy, the cache would keep
 * the request target of up to 8 KiB that a key was cut out of.
 */
function ownCopy(key: string): string {
  return copyBuffer.toString('utf8', 0, copyBuffer.write(key));
}
