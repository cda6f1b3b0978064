import { peerHasLeft } from '../native/peer-state.ts';
import type { Arena, Block } from '../native/types.ts';
import { ClientGoneError } from './client-gone.ts';

/**
 * The client that a store operation is for: a socket. A client that has only ended its side (a FIN)
 * has sent all it has to send and may still wait for its response, so it has not left.
 */
export interface Caller {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
  /**
   * Whether the client has ended its side before the gateway has all that it announced. Not to be
   * called while bytes of the connection are parsed: they are neither unread nor received then.
   */
  hasEndedEarly?(): boolean;
  /** The client whose share of the arena its blocks count against; the caller itself by default. */
  readonly peer?: object | undefined;
}

/** Whom blocks for a caller count against. */
export const peerOf = (caller: Caller | undefined): object | undefined => caller?.peer ?? caller;

/** Whether a client has left: its connection is destroyed, was reset, or, on a Unix socket, was closed. */
export const hasLeft = (caller: Caller): boolean => caller.destroyed || peerHasLeft(caller);

/** Whether an arena has had no room for what it refused for longer than a request waits for room. */
export const isRefusing = (arena: Arena, arenaWaitMs: number): boolean =>
  (arena.pressure().refusingForMs ?? -1) > arenaWaitMs;

/** How often waiting clients are checked: while a connection is not read, no event tells of its end. */
const CHECK_MS = 250;

/**
 * Waits for room, in order of asking. A client that leaves loses its place at once, so that no request
 * waits behind those of clients that have left. @throws ArenaFullError, ClientGoneError
 */
export async function waitForRoom(
  arena: Arena,
  bytes: number,
  deadlineMs: number,
  caller: Caller | undefined,
): Promise<Block> {
  if (caller === undefined) return arena.allocate(bytes, { deadlineMs });
  const peer = peerOf(caller);
  const left = new AbortController();
  const leave = () => left.abort(new ClientGoneError());
  // Checked now too: a descriptor that Node does not give is looked up while the connection is there.
  if (hasLeft(caller)) leave();
  caller.once('close', leave);
  const checking = setInterval(() => {
    if (hasLeft(caller) || caller.hasEndedEarly?.() === true) leave();
  }, CHECK_MS);
  try {
    return await arena.allocate(bytes, { deadlineMs, signal: left.signal, peer });
  } finally {
    clearInterval(checking);
    caller.off('close', leave);
  }
}
