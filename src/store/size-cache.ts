import { MAX_KEY_BYTES } from '../native/limits.ts';

/** Sizes of objects as they were last seen, so that a read need not ask first. */
export interface SizeCache {
  get(key: string): number | undefined;
  learn(key: string, size: number): void;
  forget(key: string): void;
  readonly size: number;
}

/**
 * Remembers at most `mostKeys` sizes. What has not been asked for goes first: keys move from an old
 * half to a young one when they are used, and the old half goes as a whole when the young one is
 * full, which costs nothing on a hit. A size may be out of date at any time: another client may have
 * removed or replaced the object; the engine then answers −1 to a read of that length (engine.md §2).
 */
export function createSizeCache(mostKeys: number): SizeCache {
  const half = Math.ceil(mostKeys / 2);
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
