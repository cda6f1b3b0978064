import type { Block } from '../native/abi/types.ts';

/** The value of an empty object, which another client may have stored: it has no memory to release. */
export const emptyBlock: Block = {
  length: 0,
  view: Buffer.alloc(0),
  slice(offset, length) {
    throw new RangeError(`bytes ${offset}+${length} of an empty block`);
  },
  retain: () => undefined,
  release: () => undefined,
};
