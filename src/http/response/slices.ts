import type { Socket } from 'node:net';
import { isEncrypted } from '../../node-internals/node-features.ts';
import { seesWriteQueue } from '../../node-internals/write-queue.ts';

/** How a long body is handed to its socket. */
export interface Slices {
  /** Bytes written at once. */
  readonly sliceBytes: number;
  /** Bytes that are handed over before the kernel has taken the first. */
  readonly aheadBytes: number;
}

/** More than a few system calls, and less than would hold up other connections. */
const seen: Slices = { sliceBytes: 1 << 20, aheadBytes: 4 << 20 };
/** Where a slice counts as sent only when the kernel has taken all of it. */
const blind: Slices = { sliceBytes: 64 << 10, aheadBytes: 256 << 10 };
/** TLS copies a slice and encrypts the copy, so the next one waits until the kernel has taken it. */
const encrypted: Slices = { sliceBytes: 256 << 10, aheadBytes: 256 << 10 };

export function slicesOf(socket: Socket | null): Slices {
  if (socket === null) return blind;
  if (isEncrypted(socket)) return encrypted;
  return seesWriteQueue(socket) ? seen : blind;
}
