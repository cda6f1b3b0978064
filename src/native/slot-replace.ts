import { MMC_OK, MMC_UNMATCHED_KEY } from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import type { NativeBlock } from './native-block.ts';
import { batchKeysOnSlot, batchPutOnSlot } from './slot-batches.ts';
import type { PutOptions, Replaced } from './types.ts';

/**
 * Removes objects and stores others in their place, on one slot: what was removed waits for nobody to
 * be stored, is not refused for others, and is stored though the caller was told meanwhile that it
 * took too long. What cannot be removed is left alone, and so are all when the first call fails.
 */
export function batchReplaceOnSlot(
  context: EngineContext,
  slot: Slot,
  keys: readonly string[],
  blocks: readonly NativeBlock[],
  options: PutOptions,
  finish: (result: Replaced) => void,
  fail: (error: Error) => void,
): void {
  const put = ({ results: removed }: { readonly results: Int32Array }): void => {
    const gone = [...keys.keys()].filter((at) => isGone(removed[at] as number));
    if (gone.length === 0) {
      finish({ removed, stored: new Int32Array(0) });
      return;
    }
    batchPutOnSlot(
      context,
      slot,
      gone.map((at) => keys[at] as string),
      gone.map((at) => blocks[at] as NativeBlock),
      options,
      ({ results: stored }) => finish({ removed, stored }),
      fail,
    );
  };
  batchKeysOnSlot(context, slot, 'remove', keys, put, fail);
}

const isGone = (code: number): boolean => code === MMC_OK || code === MMC_UNMATCHED_KEY;
