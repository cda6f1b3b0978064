/**
 * A connection on the channel between processes: the bare handle of the kernel, as node:cluster
 * passes it on. A socket would begin to read on arrival, before its owner is decided.
 */
import { Socket } from 'node:net';
import { nodeFeature } from './node-features.ts';

const feature = nodeFeature('bare-handles');

export interface Handle {
  /** Closes this process's copy of the connection, and nothing else. */
  close(): void;
}

/** Whether this process has proved that bare handles work. */
export const canPassHandles = (): boolean => feature.enabled;

/** The handle of a socket, which the socket keeps; undefined when the socket is closed. */
export const handleOf = (socket: Socket): Handle | undefined =>
  (socket as { _handle?: Handle | null })._handle ?? undefined;

/** A socket on a handle, which begins to read; a client may end its side before it has the response. */
export function socketOf(handle: Handle): Socket {
  const options = { handle, allowHalfOpen: true, readable: true, writable: true };
  return new Socket(options);
}

/** Closes a bare handle or a socket that arrived with a message. */
export function closePassed(passed: Handle | Socket): void {
  if (passed instanceof Socket) passed.destroy();
  else passed.close();
}

/**
 * Sends one end of a connection of its own to the supervisor and back, makes a socket of the
 * returned handle, and has both ends exchange a few bytes.
 * @param echo sends a handle to the supervisor, and resolves with the returned one.
 */
export async function probeBareHandles(
  socketPair: () => readonly [Socket, Socket],
  echo: (handle: Handle) => Promise<Handle | Socket | undefined>,
): Promise<void> {
  const [left, right] = socketPair();
  let returned: Socket | undefined;
  try {
    const handle = handleOf(left);
    if (handle === undefined) throw new Error('a socket has no handle');
    const echoed = await echo(handle);
    if (echoed === undefined) throw new Error('a handle was lost on its way');
    if (echoed instanceof Socket) {
      returned = echoed;
      throw new Error('a handle became a socket on its way');
    }
    returned = socketOf(echoed);
    // Each process has a copy of its own.
    if (echoed !== handle) handle.close();
    await exchange(returned, right, 'to the peer');
    await exchange(right, returned, 'from the peer');
  } finally {
    for (const socket of [left, right, returned]) socket?.destroy();
  }
}

async function exchange(from: Socket, to: Socket, text: string): Promise<void> {
  const received = new Promise<string>((resolve, reject) => {
    to.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    for (const socket of [from, to]) socket.once('error', reject);
  });
  from.write(text);
  if ((await received) !== text) throw new Error('bytes were lost on a passed connection');
}
