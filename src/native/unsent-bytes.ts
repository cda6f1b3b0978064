import type { Socket } from 'node:net';
import { libc } from './abi.ts';

/** ioctl's request for what a socket's peer has not acknowledged yet (tcp(7)). */
const SIOCOUTQ = 0x5411;

/** What Node knows below a socket, undocumented: hence every part of it is asked for. */
interface Handle {
  readonly fd?: number;
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

const answer = Buffer.alloc(4);

/**
 * Bytes that were written to a socket and have not reached its peer: those that wait in JavaScript,
 * in libuv and in the kernel. Only the last tell a slow reader from a dead one, since the kernel
 * takes megabytes at a time. Undefined when they can't be told.
 */
export function unsentBytes(socket: Socket): number | undefined {
  const handle = (socket as { _handle?: Handle | null })._handle;
  const { fd = -1, bytesWritten, writeQueueSize } = handle ?? {};
  if (fd < 0 || bytesWritten === undefined || writeQueueSize === undefined) return undefined;
  if (libc().ioctl(fd, SIOCOUTQ, answer) !== 0) return undefined;
  return socket.bytesWritten - bytesWritten + writeQueueSize + answer.readInt32LE(0);
}
