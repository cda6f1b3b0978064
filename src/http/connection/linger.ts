import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { stopReadingDirectly } from '../../node-internals/direct-read.ts';
import { ignoreEnd } from '../../node-internals/linger-close.ts';
import { takeParserOff } from '../../node-internals/parser-removal.ts';
import { pendingResponses } from '../../node-internals/pending-responses.ts';
import { closesWithoutLoss } from '../../os/unsent-bytes.ts';
import { endPauses, pauseReading } from '../body/read-pause.ts';
import { isFinished } from './last-request.ts';

/** Limits of the discarded bytes: enough for clients that send everything before they read. */
const MAX_IDLE_MS = 2_000;
/** For a client that has sent all of its requests. */
const MAX_SILENT_MS = 100;
const MAX_LINGER_MS = 30_000;
const MAX_DISCARDED_BYTES = 1 << 30;

/** While the parser stays on: from this number of discarded requests on, the gateway does not read. */
const MAX_DISCARDED_REQUESTS = 16;

interface Discarding {
  bytes: number;
  requests: number;
  /** Whether the parser finds requests in the discarded bytes. */
  isParsed: boolean;
  /** Called when bytes have been discarded. */
  onBytes: (() => void) | undefined;
}

/**
 * The state of a closing connection is on its socket. In a WeakMap, V8 would keep each closed connection
 * until the next full collection, because the state refers to the socket.
 */
const discarding = Symbol('discarding');
const closing = Symbol('closing');
const silent = Symbol('silent');
type Lingering = Socket & {
  [discarding]?: Discarding;
  [closing]?: true;
  /** Nothing is expected of its client but the end. */
  [silent]?: boolean;
};

/**
 * Detaches the HTTP parser from a connection: from the next turn of the loop on, bytes that arrive are
 * discarded, up to 1 GiB, and then the connection is destroyed. Bytes of the chunk at hand still reach
 * the parser, so the server must discard the requests that it finds in them. Without this the parser
 * would make request and response objects, in unbounded memory, of bytes that get no response. Where
 * this Node keeps its parser on, `discardRequest` bounds them, and so does the budget that they are
 * charged to (pipeline-limit.ts). Calling it again has no effect.
 */
export function discardInput(socket: Socket): void {
  beginDiscarding(socket);
}

/** Discards a request that is not served, with its body and everything behind it. */
export function discardRequest(req: IncomingMessage): void {
  const { socket } = req;
  const state = beginDiscarding(socket);
  state.requests += 1;
  req.resume();
  limitRequests(socket, state);
}

function beginDiscarding(socket: Socket): Discarding {
  const known = (socket as Lingering)[discarding];
  if (known !== undefined) return known;
  const state: Discarding = { bytes: 0, requests: 0, isParsed: false, onBytes: undefined };
  (socket as Lingering)[discarding] = state;
  // A parser cannot be detached from its connection within its own callback.
  process.nextTick(() => {
    if (socket.destroyed) return;
    stopReadingDirectly(socket);
    endPauses(socket);
    state.isParsed = !takeParserOff(socket, (bytes) => {
      state.bytes += bytes;
      if (state.bytes > MAX_DISCARDED_BYTES) socket.destroy();
      else state.onBytes?.();
    });
    limitRequests(socket, state);
  });
  if ((socket as Lingering)[silent] === true) limitDiscarding(socket, state);
  return state;
}

/** Bytes have arrived after all on a connection of which only the end was expected. */
function limitDiscarding(socket: Lingering, state: Discarding): void {
  socket[silent] = false;
  socket.setTimeout(0);
  limitLinger(socket, state, () => socket.destroy(), MAX_IDLE_MS);
}

function limitRequests(socket: Socket, state: Discarding): void {
  const isFlooded = state.isParsed && state.requests >= MAX_DISCARDED_REQUESTS;
  if (isFlooded) pauseReading(socket, state);
}

/** Whether our side of a connection has ended, or is about to: nothing may be served on it. */
export const isClosing = (socket: Socket): boolean =>
  socket.writableEnded || (socket as Lingering)[closing] === true;

/**
 * Closes a connection behind its last response: ends our side once everything that was written has
 * been sent, discards the bytes that the client still sends, and closes when the client ends its side, or after 2 s
 * without a byte, 30 s in all, or 1 GiB. Closing with unread bytes would make the kernel reset the
 * connection, and drop the responses that the client has not received yet. Calling it again has no
 * effect. Written bytes that have not reached the kernel after 30 s are lost. The connection of a client
 * that has announced its last request, and gets a small response, is closed at once, unless something has
 * arrived behind the request.
 */
export function lingerClose(socket: Socket): void {
  if (socket.destroyed || isClosing(socket)) return;
  const isSilent = isFinished(socket) && (socket as Lingering)[discarding] === undefined;
  if (isSilent && closesWithoutLoss(socket)) {
    socket.destroy();
    return;
  }
  (socket as Lingering)[closing] = true;
  if (isSilent) awaitEnd(socket);
  else linger(socket, () => socket.destroy(), MAX_IDLE_MS);
  socket.end();
  ignoreEnd(socket);
}

/**
 * Waits for the end of the client's side without the cost of discarding: nothing is expected to arrive.
 * Bytes that arrive all the same are discarded. The parser skips empty lines without an event, and each
 * postpones the timeout of the socket, so the total has a limit of its own.
 */
function awaitEnd(socket: Lingering): void {
  socket[silent] = true;
  endPauses(socket);
  // The server destroys a silent connection on which no request is served.
  socket.setTimeout(MAX_IDLE_MS);
  const total = setTimeout(() => socket.destroy(), MAX_LINGER_MS);
  socket.once('close', () => clearTimeout(total));
}

/**
 * As `lingerClose`, for a connection that is destroyed as soon as our side has ended: that waits until
 * the client has ended its side, or sent nothing for 2 s, or for 0.1 s when it is not known to send more.
 * False where the connection closes already.
 */
export function lingerBeforeEnd(socket: Socket, end: () => void): boolean {
  if (socket.destroyed || isClosing(socket)) return false;
  const responses = pendingResponses(socket);
  const isRead = responses.length <= 1 && responses.every(({ req }) => req.complete);
  const idleMs =
    isRead && (socket as Lingering)[discarding] === undefined ? MAX_SILENT_MS : MAX_IDLE_MS;
  (socket as Lingering)[closing] = true;
  linger(socket, end, idleMs);
  socket.once('end', end);
  return true;
}

/** Calls `close` once the client has sent nothing for `idleMs`, or for 2 s after its first byte. */
function linger(socket: Socket, close: () => void, idleMs: number): void {
  limitLinger(socket, beginDiscarding(socket), close, idleMs);
}

function limitLinger(socket: Socket, state: Discarding, close: () => void, idleMs: number): void {
  const total = setTimeout(() => socket.destroy(), MAX_LINGER_MS);
  const look = (): void => {
    // The response may still wait for a client that reads slowly.
    if (socket.writableLength > 0) idle.refresh();
    else close();
  };
  let idle = setTimeout(look, idleMs);
  let isSilent = idleMs < MAX_IDLE_MS;
  state.onBytes = () => {
    if (!isSilent) {
      idle.refresh();
      return;
    }
    isSilent = false;
    clearTimeout(idle);
    idle = setTimeout(look, MAX_IDLE_MS);
  };
  socket.once('close', () => {
    clearTimeout(total);
    clearTimeout(idle);
  });
}
