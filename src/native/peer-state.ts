import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { libc } from './abi.ts';

/** The kernel reports these whether or not they are asked for (poll(2)). */
const POLLERR = 0x8;
const POLLHUP = 0x10;

/** A struct pollfd: the descriptor (int), the events asked for: none, the events that hold (short). */
const asked = Buffer.alloc(8);

/**
 * Whether the peer of a connection has left, as the kernel knows it: over TCP it has reset the
 * connection, on a Unix socket it has closed its end. Node learns that only when it reads, and it does
 * not read while a body waits for room. A peer that has only ended its side (POLLRDHUP) has not left:
 * it may wait for the response. False for anything that is no open connection. To be asked only while
 * our side is open: with both sides ended, the kernel reports POLLHUP.
 */
export function peerHasLeft(connection: object): boolean {
  const fd = descriptorOf(connection);
  if (fd < 0) return false;
  asked.writeInt32LE(fd, 0);
  if (libc().poll(asked, 1, 0) <= 0) return false;
  return (asked.readInt16LE(6) & (POLLERR | POLLHUP)) !== 0;
}
