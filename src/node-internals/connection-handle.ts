/**
 * A connection as it goes over a channel: the kernel's handle alone, as node:cluster passes it on.
 * Given a socket, Node would make a socket of it on arrival too, and that begins to read at once,
 * which nobody but its owner may do. Neither is in the types, nor documented.
 */
import { Socket } from 'node:net';

export interface Handle {
  /** Closes this process's copy of the connection, and nothing but that. */
  close(): void;
}

/** The handle of a socket, which keeps it; undefined when the socket is closed. */
export const handleOf = (socket: Socket): Handle | undefined =>
  (socket as { _handle?: Handle | null })._handle ?? undefined;

/** A socket on a handle, which reads; a client may end its side before it has the answer. */
export function socketOf(handle: Handle): Socket {
  const options = { handle, allowHalfOpen: true, readable: true, writable: true };
  return new Socket(options);
}
