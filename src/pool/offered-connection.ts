/** The worker's side of a hand-over (hand-over.ts): a connection that is not its own yet. */
import { Socket } from 'node:net';
import { closePassed, type Handle, socketOf } from '../node-internals/connection-handle.ts';

export interface OfferedConnection {
  /** One has come; it may have been closed on its way, or come with `take` instead. */
  offer(id: number, passed: Handle | Socket | undefined): void;
  /** It is ours: it may be read. `passed` is the connection where `offer` did not carry it. */
  take(id: number, passed: Handle | Socket | undefined): void;
  /** Another process owns it. */
  forget(): void;
}

/** @param accept where a connection is served; undefined closes it. */
export function createOfferedConnection(
  accept: () => ((socket: Socket) => void) | undefined,
): OfferedConnection {
  let offered: { readonly id: number; readonly passed: Handle | Socket } | undefined;

  function serve(passed: Handle | Socket): void {
    const server = accept();
    if (server === undefined) {
      closePassed(passed);
      return;
    }
    const socket = passed instanceof Socket ? passed : socketOf(passed);
    // Small answers leave at once.
    socket.setNoDelay(true);
    server(socket);
  }

  return {
    offer(id, passed) {
      if (passed !== undefined) offered = { id, passed };
    },
    take(id, passed) {
      if (passed !== undefined) serve(passed);
      else if (offered?.id === id) serve(offered.passed);
      offered = undefined;
    },
    forget() {
      if (offered !== undefined) closePassed(offered.passed);
      offered = undefined;
    },
  };
}
