import type { Socket } from 'node:net';
import { descriptorOf, plainDescriptorOf } from '../node-internals/socket-descriptor.ts';
import { queuedBytes } from '../node-internals/write-queue.ts';
import { libc } from './libc.ts';

/** ioctl request for the bytes that a socket's peer has not acknowledged yet (tcp(7)). */
const SIOCOUTQ = 0x5411;

/** ioctl request for the bytes that have arrived and were not read (tcp(7), unix(7)). */
const FIONREAD = 0x541b;

const answer = Buffer.alloc(4);

/** Bytes in the kernel that the peer has not acknowledged; undefined if the kernel does not report them. */
function unacknowledgedBytes(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  if (fd < 0 || libc().ioctl(fd, SIOCOUTQ, answer) !== 0) return undefined;
  return answer.readInt32LE(0);
}

/**
 * Bytes that were written to a socket and have not reached its peer: those in JavaScript, in libuv and
 * in the kernel. Undefined if they are unknown.
 */
export function unsentBytes(socket: Socket): number | undefined {
  const queued = queuedBytes(socket);
  const unacknowledged = queued === undefined ? undefined : unacknowledgedBytes(socket);
  return unacknowledged === undefined ? undefined : (queued ?? 0) + unacknowledged;
}

/**
 * The number of bytes of a body that have reached the peer. `handed` bytes were written to the socket;
 * the write callbacks of `taken` of them have run. The kernel buffers megabytes, so only its own queue
 * distinguishes a slow reader from a dead one. If the kernel does not report it, all buffered bytes
 * count.
 */
export function reachedBytes(socket: Socket | null, handed: number, taken: number): number {
  if (socket === null) return taken;
  const unsent = unsentBytes(socket);
  if (unsent !== undefined) return Math.max(0, handed - unsent);
  return Math.max(0, taken - (unacknowledgedBytes(socket) ?? 0));
}

/**
 * Whether a connection without TLS can be closed at once: every response was small and went straight to
 * the kernel, which still sends it, and no byte has arrived that was not read, for which the kernel would
 * reset the connection. False if unknown.
 */
export function closesWithoutLoss(socket: Socket): boolean {
  // Bytes that went through the socket take turns of the loop, in which the client may send more.
  if (socket.bytesWritten > 0 || socket.readableLength > 0) return false;
  const fd = plainDescriptorOf(socket);
  return fd >= 0 && libc().ioctl(fd, FIONREAD, answer) === 0 && answer.readInt32LE(0) === 0;
}
