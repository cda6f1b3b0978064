/** How the processes share the listening sockets. */

/** Connections that the kernel holds until a process accepts them; at most net.core.somaxconn. */
export const BACKLOG = 4096;

/** A worker inherits the listening sockets from this descriptor on; those below are its output and its channel. */
export const FIRST_LISTENER = 5;
