import type { Socket } from 'node:net';
import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { queuedBytes } from '../node-internals/write-queue.ts';
import { libc } from './abi.ts';

/** ioctl's request for what a socket's peer has not acknowledged yet (tcp(7)). */
const SIOCOUTQ = 0x5411;

const answer = Buffer.alloc(4);

/**
 * Bytes that were written to a socket and have not reached its peer: those that wait in JavaScript,
 * in libuv and in the kernel. Only the last tell a slow reader from a dead one, since the kernel
 * takes megabytes at a time. Undefined when they can't be told.
 */
export function unsentBytes(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  const queued = queuedBytes(socket);
  if (fd < 0 || queued === undefined) return undefined;
  if (libc().ioctl(fd, SIOCOUTQ, answer) !== 0) return undefined;
  return queued + answer.readInt32LE(0);
}
