import { MMC_LEASE_EXPIRED, MMC_OK, UNTRUSTED_READ } from '../../errors/engine-codes.ts';
import type { NativeBlock } from '../arena/native-block.ts';
import type { Canaries } from './canaries.ts';

/** Reads objects into blocks with one engine call; resolves with the code of each object. */
export type ReadCall = (
  keys: readonly string[],
  blocks: readonly NativeBlock[],
) => Promise<Int32Array>;

/**
 * Reads objects and verifies them, because the engine's 0 does not always mean data
 * (docs/engine-facts.md §5). An item is read again if a canary is unchanged, if its call took
 * longer than `slowReadMs`, or if its lease expired. If it fails again, it gets the code
 * UNTRUSTED_READ.
 */
export async function readVerified(
  keys: readonly string[],
  blocks: readonly NativeBlock[],
  canaries: Canaries,
  slowReadMs: number,
  read: ReadCall,
): Promise<Int32Array> {
  canaries.renew();
  /** Resolves with the codes, and with the indexes of the items that cannot be trusted. */
  const attempt = async (number: 0 | 1, from: readonly string[], into: readonly NativeBlock[]) => {
    for (let index = 0; index < into.length; index++) {
      const { memory, start, length } = into[index] as NativeBlock;
      canaries.plant(memory, start, length, number);
    }
    const since = performance.now();
    const codes = await read(from, into);
    const isSlow = performance.now() - since > slowReadMs;
    const doubtful: number[] = [];
    for (let index = 0; index < into.length; index++) {
      const code = codes[index];
      if (code === MMC_LEASE_EXPIRED) doubtful.push(index);
      if (code !== MMC_OK) continue;
      const { memory, start, length } = into[index] as NativeBlock;
      if (isSlow || canaries.leftInPlace(memory, start, length, number)) doubtful.push(index);
    }
    return { codes, doubtful };
  };
  const { codes, doubtful } = await attempt(0, keys, blocks);
  if (doubtful.length === 0) return codes;
  const second = await attempt(
    1,
    doubtful.map((index) => keys[index] as string),
    doubtful.map((index) => blocks[index] as NativeBlock),
  );
  for (const index of second.doubtful) {
    if (second.codes[index] === MMC_OK) second.codes[index] = UNTRUSTED_READ;
  }
  for (const [at, index] of doubtful.entries()) codes[index] = second.codes[at] as number;
  return codes;
}
