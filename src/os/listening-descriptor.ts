/** Listening sockets that several processes have: each accepts on a descriptor of its own. */
import { eventsOf } from './descriptor-events.ts';
import { lastErrno, libc } from './libc.ts';

/** fcntl command: a new descriptor, at least as high as the argument, that exec closes. */
const F_DUPFD_CLOEXEC = 1030;
const POLLIN = 0x1;
const SHUT_RDWR = 2;

/** A second descriptor of the same socket. @throws without a free descriptor */
export function duplicateDescriptor(fd: number): number {
  const duplicate = libc().fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) throw new Error(`cannot duplicate descriptor ${fd}: errno ${lastErrno()}`);
  return duplicate;
}

/** Whether a connection waits in the kernel's queue of a listening socket. */
export const hasWaitingConnection = (fd: number): boolean => (eventsOf(fd, POLLIN) & POLLIN) !== 0;

/**
 * Ends listening in all processes that have the socket. Clients are refused from now on, and another
 * program can listen at the address. Closing a descriptor does that only in the last process.
 */
export function endListening(fd: number): void {
  libc().shutdown(fd, SHUT_RDWR);
}
