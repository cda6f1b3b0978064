import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { eventsOf } from './descriptor-events.ts';
import { libc } from './libc.ts';

/** The kernel always reports these two events (poll(2)). */
const POLLERR = 0x8;
const POLLHUP = 0x10;
/** The peer has ended its side, and all its bytes have arrived. */
const POLLRDHUP = 0x2000;

/** ioctl request for the number of bytes that have arrived and are unread. */
const FIONREAD = 0x541b;

const unread = Buffer.alloc(4);

/**
 * Whether the kernel knows that the peer of a connection has disconnected: over TCP it has reset the
 * connection, on a Unix socket it has closed its end. Node notices that only when it reads, and it does
 * not read while a body waits for memory. A peer that has only ended its side (POLLRDHUP) may still wait
 * for the response, so it does not count. False for anything but an open connection. Call it only while
 * our side is open: with both sides ended, the kernel reports POLLHUP.
 */
export function peerHasLeft(connection: object): boolean {
  return (eventsOf(descriptorOf(connection), 0) & (POLLERR | POLLHUP)) !== 0;
}

/**
 * The number of unread bytes in the kernel for a connection whose peer has ended its side, so that no
 * more will arrive. Undefined while more may arrive, and for anything but an open connection. The end of
 * a peer that sends more than the receive buffer holds has not arrived yet.
 */
export function lastUnreadBytes(connection: object): number | undefined {
  const fd = descriptorOf(connection);
  if ((eventsOf(fd, POLLRDHUP) & POLLRDHUP) === 0) return undefined;
  return libc().ioctl(fd, FIONREAD, unread) === 0 ? unread.readInt32LE(0) : undefined;
}
