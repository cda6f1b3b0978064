import type { Block } from '../native/types.ts';

/** Another client may have stored an empty object; it needs no memory and nobody frees it. */
export const emptyBlock: Block = {
  length: 0,
  view: Buffer.alloc(0),
  retain: () => undefined,
  release: () => undefined,
};
