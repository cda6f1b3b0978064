import type { Socket } from 'node:net';
import { pauseParser } from '../../node-internals/parser-pause.ts';

const pauses = new WeakMap<Socket, Set<object>>();

/**
 * Stops reading a connection until `resumeReading` is called for every reason given here. Bytes of the
 * packet at hand still arrive. node:http resumes a connection by itself, behind each message and for
 * each body that is read as a stream, and its `resume` may follow a `pause` of the same turn; so the
 * pause is repeated behind every `resume`, as the last task of the turn.
 */
export function pauseReading(socket: Socket, reason: object): void {
  pausesOf(socket).add(reason);
  pauseSoon(socket);
}

export function resumeReading(socket: Socket, reason: object): void {
  const reasons = pauses.get(socket);
  if (reasons?.delete(reason) === true && reasons.size === 0) socket.resume();
}

export const isReadingPaused = (socket: Socket): boolean => (pauses.get(socket)?.size ?? 0) > 0;

/** Ends all pauses of a connection, whose bytes are discarded from now on. */
export function endPauses(socket: Socket): void {
  pauses.get(socket)?.clear();
}

function pausesOf(socket: Socket): Set<object> {
  const known = pauses.get(socket);
  if (known !== undefined) return known;
  const reasons = new Set<object>();
  pauses.set(socket, reasons);
  socket.on('resume', () => pauseSoon(socket));
  return reasons;
}

function pauseSoon(socket: Socket): void {
  if (isReadingPaused(socket)) queueMicrotask(() => pauseNow(socket));
}

function pauseNow(socket: Socket): void {
  if (isReadingPaused(socket) && !socket.destroyed) pauseParser(socket);
}
