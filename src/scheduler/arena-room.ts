import { ClientGoneError } from '../errors/client-gone.ts';
import type { Arena, Block } from '../native/abi/types.ts';
import { peerHasLeft } from '../os/peer-state.ts';
import { currentTrace } from './call-trace.ts';

/**
 * The client of a store operation: a socket. A client that has only ended its side (a FIN) may still
 * wait for its response, so it counts as connected.
 */
export interface Caller {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
  /**
   * Whether the client has ended its side before the gateway has the whole request. Do not call it while
   * bytes of the connection are being parsed: they are then neither unread nor received.
   */
  hasEndedEarly?(): boolean;
  /**
   * The client whose share of the arena its blocks use; by default the caller itself. A connection may
   * carry requests of several clients, one after another.
   */
  readonly peer?: object | undefined;
}

/** The peer whose share the blocks of a caller use. */
export const peerOf = (caller: Caller | undefined): object | undefined => caller?.peer ?? caller;

/** Whether a client has disconnected: its connection is destroyed, was reset, or, on a Unix socket, was closed. */
export const hasLeft = (caller: Caller): boolean => caller.destroyed || peerHasLeft(caller);

/** Whether an arena has refused requests for longer than a request waits for memory. */
export const isRefusing = (arena: Arena, arenaWaitMs: number): boolean =>
  (arena.pressure().refusingForMs ?? -1) > arenaWaitMs;

/** Interval of the checks of waiting clients: no event reports the end of a connection that is not read. */
const CHECK_MS = 250;

/**
 * Runs a task for a client. The signal is aborted with ClientGoneError once the client has disconnected.
 */
export async function whileConnected<T>(
  caller: Caller,
  task: (left: AbortSignal) => Promise<T>,
): Promise<T> {
  const left = new AbortController();
  const leave = () => left.abort(new ClientGoneError());
  // Checked now too: without Node's help, a descriptor can only be found while the connection exists.
  if (hasLeft(caller)) leave();
  caller.once('close', leave);
  const checking = setInterval(() => {
    if (hasLeft(caller) || caller.hasEndedEarly?.() === true) leave();
  }, CHECK_MS);
  try {
    return await task(left.signal);
  } finally {
    clearInterval(checking);
    caller.off('close', leave);
  }
}

/**
 * Waits for memory, in order of request. A client that disconnects loses its place at once, so that no
 * request waits behind it. @throws ArenaFullError, ClientGoneError
 */
export async function waitForRoom(
  arena: Arena,
  bytes: number,
  deadlineMs: number,
  caller: Caller | undefined,
): Promise<Block> {
  const trace = currentTrace();
  const sinceMs = trace === undefined ? 0 : performance.now();
  try {
    return await allocateFor(arena, bytes, deadlineMs, caller);
  } finally {
    trace?.waited(performance.now() - sinceMs);
  }
}

function allocateFor(
  arena: Arena,
  bytes: number,
  deadlineMs: number,
  caller: Caller | undefined,
): Promise<Block> {
  if (caller === undefined) return arena.allocate(bytes, { deadlineMs });
  const peer = peerOf(caller);
  return whileConnected(caller, (signal) => arena.allocate(bytes, { deadlineMs, signal, peer }));
}
