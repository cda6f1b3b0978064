import assert from 'node:assert/strict';
import type { Block } from '../../../src/native/abi/types.ts';

/** Returns the block of an allocation that must succeed. */
export function must(block: Block | undefined): Block {
  assert.ok(block !== undefined, 'there is room');
  return block;
}

/** Returns whether a promise has settled after all pending callbacks have run. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  await new Promise(setImmediate);
  return done;
}
