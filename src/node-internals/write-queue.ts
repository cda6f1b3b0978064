import type { Socket } from 'node:net';

interface WriteCounters {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/**
 * Bytes that were written to a socket and that the kernel has not taken: those that wait in
 * JavaScript and in libuv. Undefined for a closed socket.
 */
export function queuedBytes(socket: Socket): number | undefined {
  const handle = (socket as { _handle?: WriteCounters | null })._handle;
  const { bytesWritten, writeQueueSize } = handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) return undefined;
  return socket.bytesWritten - bytesWritten + writeQueueSize;
}
