import { seesWriteQueue } from '../node-internals/write-queue.ts';

/** More than a few system calls, and less than would hold up other connections. */
const SLICE_BYTES = 1 << 20;
/** Smaller, where a slice counts as sent only when the kernel has taken all of it. */
const BLIND_SLICE_BYTES = 64 << 10;

/** Bytes of a body that are written to a socket at a time. */
export const sliceBytes = (): number => (seesWriteQueue() ? SLICE_BYTES : BLIND_SLICE_BYTES);
