/** The worker's side of a hand-over (hand-over.ts): a connection that is not its own yet. */
import type { Socket } from 'node:net';
import { type Handle, socketOf } from '../node-internals/connection-handle.ts';

export interface OfferedConnection {
  /** One has come; it may have been closed on its way. */
  offer(id: number, handle: Handle | undefined): void;
  /** It is ours: it may be read. */
  take(id: number): void;
  /** It is somebody else's. */
  forget(): void;
}

/** @param accept where a connection is served; undefined closes it. */
export function createOfferedConnection(
  accept: () => ((socket: Socket) => void) | undefined,
): OfferedConnection {
  let offered: { readonly id: number; readonly handle: Handle } | undefined;

  function serve(handle: Handle): void {
    const server = accept();
    if (server === undefined) {
      handle.close();
      return;
    }
    const socket = socketOf(handle);
    // Small answers leave at once.
    socket.setNoDelay(true);
    server(socket);
  }

  return {
    offer(id, handle) {
      if (handle !== undefined) offered = { id, handle };
    },
    take(id) {
      if (offered?.id === id) serve(offered.handle);
      offered = undefined;
    },
    forget() {
      offered?.handle.close();
      offered = undefined;
    },
  };
}
