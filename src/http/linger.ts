import type { Socket } from 'node:net';
import { stopReadingDirectly } from '../node-internals/direct-read.ts';
import { endPauses } from './read-pause.ts';

/** Bounds of what is discarded: enough for clients that send everything before they read. */
const MAX_IDLE_MS = 2_000;
const MAX_LINGER_MS = 30_000;
const MAX_DISCARDED_BYTES = 1 << 30;

interface Discarding {
  bytes: number;
  /** Called for each chunk. */
  onChunk: (() => void) | undefined;
}

const discarding = new WeakMap<Socket, Discarding>();

/**
 * Takes the HTTP parser off a connection: from the next turn of the loop on, bytes that arrive are
 * discarded, up to 1 GiB, and then the connection is destroyed. Bytes of the chunk at hand still reach
 * the parser, so the server must ignore the requests that it finds in them. Without this the parser
 * would make a request and a response object, in memory that nothing bounds, of bytes that no one
 * answers. Calling it again has no effect.
 */
export function discardInput(socket: Socket): void {
  if (discarding.has(socket)) return;
  const state: Discarding = { bytes: 0, onChunk: undefined };
  discarding.set(socket, state);
  // A parser cannot be taken off its connection within its own callback.
  process.nextTick(() => {
    if (socket.destroyed) return;
    stopReadingDirectly(socket);
    endPauses(socket);
    socket.removeAllListeners('data');
    // node:http hands the connection over to a listener for its data.
    socket.on('data', (chunk: Buffer) => {
      state.bytes += chunk.length;
      if (state.bytes > MAX_DISCARDED_BYTES) socket.destroy();
      else state.onChunk?.();
    });
    socket.resume();
    // The parser may have stopped reading; the stream, which it went round, believes that it still reads.
    socket.push('');
  });
}

/**
 * Closes a connection behind its last response: ends our side once everything that was written has
 * left, discards what the client still sends, and closes when the client ends its side, or after 2 s
 * without a byte, 30 s in all, or 1 GiB. Closing with unread bytes would make the kernel reset the
 * connection, and drop the responses that the client has not received yet. Calling it again has no
 * effect. What was written and has not reached the kernel after 30 s is lost.
 */
export function lingerClose(socket: Socket): void {
  if (socket.destroyed || socket.writableEnded) return;
  discardInput(socket);
  socket.end();
  const close = () => socket.destroy();
  const total = setTimeout(close, MAX_LINGER_MS);
  const idle = setTimeout(() => {
    // The response may still wait for a client that reads slowly.
    if (socket.writableLength > 0) idle.refresh();
    else close();
  }, MAX_IDLE_MS);
  const state = discarding.get(socket);
  if (state !== undefined) state.onChunk = () => idle.refresh();
  socket.once('close', () => {
    clearTimeout(total);
    clearTimeout(idle);
  });
}
