import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as elapse, setImmediate as nextTurn } from 'node:timers/promises';

/** How often a drain looks whether everything has left: a small answer tells nobody when it has. */
const DRAIN_LOOK_MS = 10;
/**
 * A client between two requests may have sent the next one when its connection is closed, and never
 * learns what became of it. So clients are told first, in what they are answered (`Connection: close`),
 * and only who has asked for nothing in this time is closed without. It is counted in looks, which take
 * longer on a machine that is busy, where clients do, too.
 */
const GRACE_LOOKS = 20;
/** Who has just come has come to ask. */
const FRESH_LOOKS = 200;

export interface LiveConnections {
  /** Serves a connection that was accepted elsewhere. */
  accept(socket: Socket): void;
  /** Lets requests in flight finish, and their connections close; false when the deadline came first. */
  drain(deadlineMs: number): Promise<boolean>;
  /** Closes every connection at once. */
  destroyAll(): void;
}

/** The connections that a server has, until their last bytes have left. */
export function createLiveConnections(server: Server, inFlight: () => number): LiveConnections {
  const sockets = new Set<Socket>();
  const fresh = new Set<Socket>();
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, ({ socket }: IncomingMessage) => fresh.delete(socket));
  }
  const hasUnsentBytes = (socket: Socket): boolean => socket.writableLength > 0;
  /** Also with answers that have not left, and refused uploads that are still read and thrown away. */
  const isBusy = (): boolean =>
    inFlight() > 0 ||
    [...sockets].some(
      (socket) => !socket.destroyed && (socket.writableEnded || hasUnsentBytes(socket)),
    );

  return {
    accept(socket) {
      sockets.add(socket);
      fresh.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        fresh.delete(socket);
      });
      // node:http listens too, but not on connections that it has let go of.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      // A client may end its side before it has the answer; a passed-on socket forgot that it may.
      socket.allowHalfOpen = true;
      server.emit('connection', socket);
    },
    async drain(deadlineMs) {
      const started = performance.now();
      for (let looks = 0; ; looks += 1) {
        // What has come meanwhile is read before anything is closed.
        await nextTurn();
        const elapsedMs = performance.now() - started;
        const graceIsOver = looks >= (fresh.size > 0 ? FRESH_LOOKS : GRACE_LOOKS);
        // To node:http a connection is idle whose last answer still waits for a slow reader.
        if (graceIsOver && ![...sockets].some(hasUnsentBytes)) server.closeIdleConnections();
        const finished = !isBusy() && (graceIsOver || sockets.size === 0);
        if (finished || elapsedMs >= deadlineMs) break;
        await elapse(DRAIN_LOOK_MS);
      }
      const drained = !isBusy();
      // Also who has never asked, or stopped in the middle of it: nobody reads what they send now.
      if (drained) for (const socket of sockets) socket.destroy();
      return drained;
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
