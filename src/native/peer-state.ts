import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { libc } from './abi.ts';

/** The kernel reports these two whether or not the caller asks for them (poll(2)). */
const POLLERR = 0x8;
const POLLHUP = 0x10;
/** The peer has ended its side, and everything that it sent before has arrived. */
const POLLRDHUP = 0x2000;

/** ioctl's request for the number of bytes that have arrived and have not been read. */
const FIONREAD = 0x541b;

/** A struct pollfd: the descriptor (int), the events asked for (short), the events that hold (short). */
const asked = Buffer.alloc(8);
const unread = Buffer.alloc(4);

/**
 * Whether the peer of a connection has left, as the kernel knows it: over TCP it has reset the
 * connection, on a Unix socket it has closed its end. Node learns that only when it reads, and it does
 * not read while a body waits for room. A peer that has only ended its side (POLLRDHUP) has not left:
 * it may wait for the response. False for anything that is no open connection. To be asked only while
 * our side is open: with both sides ended, the kernel reports POLLHUP.
 */
export function peerHasLeft(connection: object): boolean {
  return (eventsOf(descriptorOf(connection), 0) & (POLLERR | POLLHUP)) !== 0;
}

/**
 * The number of unread bytes that the kernel holds for a connection whose peer has ended its side: no
 * more will arrive. Undefined while more may arrive, and for anything that is no open connection. A
 * peer that sends more than the receive buffer of the kernel takes has not ended its side yet.
 */
export function lastUnreadBytes(connection: object): number | undefined {
  const fd = descriptorOf(connection);
  if ((eventsOf(fd, POLLRDHUP) & POLLRDHUP) === 0) return undefined;
  return libc().ioctl(fd, FIONREAD, unread) === 0 ? unread.readInt32LE(0) : undefined;
}

/** The events that hold for a descriptor, out of `events` and those that are always reported. */
function eventsOf(fd: number, events: number): number {
  if (fd < 0) return 0;
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(events, 4);
  return libc().poll(asked, 1, 0) > 0 ? asked.readInt16LE(6) : 0;
}
