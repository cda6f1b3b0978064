/** How the processes share the listening sockets. */
import type { Socket } from 'node:net';

/** Connections that the kernel holds until a process accepts them; at most net.core.somaxconn. */
export const BACKLOG = 4096;

/** A worker inherits the listening sockets from this descriptor on; those below are its output and its channel. */
export const FIRST_LISTENER = 5;

const overTls = Symbol('its listener has TLS');
type Accepted = Socket & { [overTls]?: true };

/** Notes that the listener of a connection has TLS; the connection itself is plain until a server secures it. */
export function noteTls(socket: Socket): void {
  (socket as Accepted)[overTls] = true;
}

export const isOverTls = (socket: Socket): boolean => (socket as Accepted)[overTls] === true;
