import { ProblemError } from '../errors/problems.ts';
import type { Arena, Block } from '../native/abi/types.ts';

/** First block for a body of unknown length. The block doubles as the body grows. */
export const UNSIZED_START_BYTES = 64 * 1024;

/**
 * Returns a larger block with the first `used` bytes of `block`, and releases `block`. It never waits
 * for room: the request holds a block, and two such requests would wait for each other.
 * @throws ProblemError `unsized-body-too-large`, `arena-full`; the caller then still owns `block`
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
      detail: `The body has more than ${most} bytes and no Content-Length: send that header.`,
      members: { limitBytes: most },
    });
  }
  const larger = arena.tryAllocate(Math.min(most, Math.max(needed, block.length * 2)), peer);
  if (larger === undefined) {
    throw new ProblemError('arena-full', {
      detail:
        'There was no room to receive the rest of a body of unknown length. Send Content-Length, or try again.',
    });
  }
  larger.view.set(block.view.subarray(0, used));
  block.release();
  return larger;
}
