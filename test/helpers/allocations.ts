import assert from 'node:assert/strict';
import type { Block } from '../../src/native/types.ts';

/** The block of an allocation that must succeed. */
export function must(block: Block | undefined): Block {
  assert.ok(block !== undefined, 'there is room');
  return block;
}

/** Whether a promise has settled by the time all that was ready has run. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  await new Promise(setImmediate);
  return done;
}
