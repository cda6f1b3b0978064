import { ArenaFullError } from '../native/errors.ts';
import { peerHasLeft } from '../native/peer-state.ts';
import type { Arena, Block } from '../native/types.ts';

/**
 * For whom something is waited for: a socket. One that has ended its side counts as gone here, since
 * most clients that leave say no more than that; who only half-closed is told to try again.
 */
export interface Caller {
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
  once(event: 'end' | 'close', listener: () => void): unknown;
  off(event: 'end' | 'close', listener: () => void): unknown;
}

/** Whether a caller is gone, now; a half-closed one counts as gone, too. */
export const hasLeft = (caller: Caller): boolean =>
  caller.destroyed || caller.readableEnded || peerHasLeft(caller);

/** How often those who wait are looked at, whose leaving nobody would tell while they are not read from. */
const LOOK_MS = 250;

/**
 * Waits for room, in order of asking. A caller that leaves loses its place at once, so that nobody
 * waits behind those who are no longer there. @throws ArenaFullError
 */
export async function waitForRoom(
  arena: Arena,
  bytes: number,
  deadlineMs: number,
  caller: Caller | undefined,
): Promise<Block> {
  if (caller === undefined) return arena.allocate(bytes, { deadlineMs });
  const left = new AbortController();
  const leave = () => left.abort(new ArenaFullError(bytes, deadlineMs));
  if (caller.destroyed || caller.readableEnded) leave();
  caller.once('end', leave);
  caller.once('close', leave);
  const looking = setInterval(() => {
    if (hasLeft(caller)) leave();
  }, LOOK_MS);
  try {
    return await arena.allocate(bytes, { deadlineMs, signal: left.signal });
  } finally {
    clearInterval(looking);
    caller.off('end', leave);
    caller.off('close', leave);
  }
}
