import net from 'node:net';
import { until } from '../process/until.ts';

/** The ways in which a client can disconnect. */
export const ways = ['end', 'destroy', 'reset'] as const;

/** Sends `bytes` to a port or a socket file, waits for a number of response bytes, and disconnects. */
export async function abortAfter(
  where: number | string,
  bytes: Uint8Array | string,
  how: (typeof ways)[number],
  answerBytes = 0,
): Promise<void> {
  const socket =
    typeof where === 'string'
      ? net.connect(where)
      : net.connect({ port: where, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  await new Promise<void>((resolve) => void socket.write(bytes, () => resolve()));
  await until(() => socket.bytesRead >= answerBytes);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (how === 'end') socket.end();
  else if (how === 'reset') socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}
