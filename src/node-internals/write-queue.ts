import type { Socket } from 'node:net';
import { isEncrypted, nodeFeature } from './node-features.ts';

const feature = nodeFeature('write-queue');

interface WriteCounters {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/**
 * Bytes that were written to a socket and that the kernel has not taken: those that wait in
 * JavaScript and in libuv. Undefined for a closed socket, and where this Node has no such count:
 * callers then count a chunk when its write callback runs, and write smaller chunks.
 */
export function queuedBytes(socket: Socket): number | undefined {
  return seesWriteQueue(socket) ? read(socket) : undefined;
}

/** Whether `queuedBytes` counts the written part of a chunk in progress. */
export function seesWriteQueue(socket: Socket): boolean {
  return feature.enabled && !isEncrypted(socket);
}

function read(socket: Socket): number | undefined {
  const handle = (socket as { _handle?: WriteCounters | null })._handle;
  const { bytesWritten, writeQueueSize } = handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) return undefined;
  return socket.bytesWritten - bytesWritten + writeQueueSize;
}

/** More than the kernel takes at once for a reader that does not read. */
const PROBE_BYTES = 2 << 20;

/**
 * Writes to a peer that does not read yet: a part must stay queued. Then the peer reads all, and
 * nothing may stay. Rejects when the counters say anything else.
 */
export async function probeWriteQueue(socketPair: () => readonly [Socket, Socket]): Promise<void> {
  const [writer, reader] = socketPair();
  try {
    reader.pause();
    check('an unused socket', read(writer), (bytes) => bytes === 0);
    const written = new Promise<void>((resolve, reject) => {
      writer.once('error', reject);
      const half = Buffer.alloc(PROBE_BYTES / 2);
      writer.write(half);
      writer.write(half, () => resolve());
    });
    check('a blocked socket', read(writer), (bytes) => bytes > 0 && bytes < PROBE_BYTES);
    reader.on('data', () => undefined);
    reader.resume();
    await written;
    check('a drained socket', read(writer), (bytes) => bytes === 0);
  } finally {
    writer.destroy();
    reader.destroy();
  }
}

function check(what: string, bytes: number | undefined, isRight: (bytes: number) => boolean): void {
  if (bytes === undefined || !isRight(bytes)) {
    throw new Error(`${what} has ${String(bytes)} queued bytes`);
  }
}
