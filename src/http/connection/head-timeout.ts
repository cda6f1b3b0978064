import type { Socket } from 'node:net';
import { isReadingPaused } from '../body/read-pause.ts';
import type { ConnectionState } from './connection-state.ts';

/**
 * Gives a client more time for a head that it could not complete because the gateway did not read
 * its connection. node:http times a head also while the connection is paused, and reports it once. `expire`
 * is called when the head is not complete within `timeoutMs` to twice that after the pause.
 */
export function postponeHeadTimeout(
  socket: Socket,
  connection: ConnectionState,
  timeoutMs: number,
  expire: () => void,
): void {
  const { heads } = connection;
  let wasPaused = true;
  const timer = setInterval(() => {
    const isComplete = socket.destroyed || connection.isClosing || connection.heads !== heads;
    const isPaused = isReadingPaused(socket);
    if (!isComplete && (isPaused || wasPaused)) {
      wasPaused = isPaused;
      return;
    }
    clearInterval(timer);
    if (!isComplete) expire();
  }, timeoutMs);
  timer.unref();
}
