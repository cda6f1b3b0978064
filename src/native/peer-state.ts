import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { libc } from './abi.ts';

/** The peer has ended its side, or there is no connection any more (poll(2)). */
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLRDHUP = 0x2000;

/** A struct pollfd: the descriptor (int), what is asked for, what is so (short). */
const asked = Buffer.alloc(8);
asked.writeInt16LE(POLLRDHUP, 4);

/**
 * Whether a connection's peer has ended its side or broken the connection, by the kernel's word. Node
 * sees that only when it reads, and while a body waits for room it does not. False where it can't be
 * told, for what is no connection.
 */
export function peerHasLeft(connection: object): boolean {
  const fd = descriptorOf(connection);
  if (fd < 0) return false;
  asked.writeInt32LE(fd, 0);
  if (libc().poll(asked, 1, 0) <= 0) return false;
  return (asked.readInt16LE(6) & (POLLERR | POLLHUP | POLLRDHUP)) !== 0;
}
