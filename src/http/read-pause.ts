import type { Socket } from 'node:net';

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
  if ((pauses.get(socket)?.size ?? 0) > 0) queueMicrotask(() => pauseNow(socket));
}

function pauseNow(socket: Socket): void {
  if ((pauses.get(socket)?.size ?? 0) === 0 || socket.destroyed) return;
  // node:http stops reading on the event, which a stream that is paused already does not emit.
  if (socket.readableFlowing === false) socket.emit('pause');
  else socket.pause();
}
