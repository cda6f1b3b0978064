import type { Socket } from 'node:net';
import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { queuedBytes } from '../node-internals/write-queue.ts';
import { libc } from './abi.ts';

/** ioctl's request for what a socket's peer has not acknowledged yet (tcp(7)). */
const SIOCOUTQ = 0x5411;

const answer = Buffer.alloc(4);

/** Bytes in the kernel that the peer has not acknowledged; undefined where the kernel cannot be asked. */
function unacknowledgedBytes(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  if (fd < 0 || libc().ioctl(fd, SIOCOUTQ, answer) !== 0) return undefined;
  return answer.readInt32LE(0);
}

/**
 * Bytes that were written to a socket and have not reached its peer: those that wait in JavaScript,
 * in libuv and in the kernel. Undefined when they can't be told.
 */
export function unsentBytes(socket: Socket): number | undefined {
  const queued = queuedBytes(socket);
  const unacknowledged = queued === undefined ? undefined : unacknowledgedBytes(socket);
  return unacknowledged === undefined ? undefined : (queued ?? 0) + unacknowledged;
}

/**
 * How many bytes of a body have reached the peer. `handed` bytes were given to the socket, and of them
 * the write callbacks of `taken` have run. The kernel takes megabytes at a time, so only its own queue
 * tells a slow reader from a dead one. Where the kernel cannot be asked, all that it took counts.
 */
export function reachedBytes(socket: Socket | null, handed: number, taken: number): number {
  if (socket === null) return taken;
  const unsent = unsentBytes(socket);
  if (unsent !== undefined) return Math.max(0, handed - unsent);
  return Math.max(0, taken - (unacknowledgedBytes(socket) ?? 0));
}
