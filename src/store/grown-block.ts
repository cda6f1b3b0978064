import { ProblemError } from '../errors.ts';
import type { Arena, Block } from '../native/types.ts';

/** The first room for a body of unknown length; it doubles from here. */
export const UNSIZED_START_BYTES = 64 * 1024;

/**
 * A larger block with the first `used` bytes of this one, which is let go of. It does not wait, since
 * who asks holds a block already (design.md §2).
 * @throws ProblemError `unsized-body-too-large`, `arena-full`; the block is then still the caller's
 */
export function grown(
  arena: Arena,
  block: Block,
  used: number,
  needed: number,
  most: number,
  peer: object | undefined,
): Block {
  if (needed > most) {
    throw new ProblemError('unsized-body-too-large', {
      detail: `The body has more than ${most} bytes and no Content-Length: send one.`,
      members: { limitBytes: most },
    });
  }
  const larger = arena.tryAllocate(Math.min(most, Math.max(needed, block.length * 2)), peer);
  if (larger === undefined) {
    throw new ProblemError('arena-full', {
      detail:
        'There was no room to go on receiving a body of unknown length. Send Content-Length, or try again.',
    });
  }
  larger.view.set(block.view.subarray(0, used));
  block.release();
  return larger;
}
