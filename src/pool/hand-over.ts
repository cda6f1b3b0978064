/**
 * How a worker gets its connections: one at a time, each in three steps. It is sent one with
 * `connection`, and answers `taken`; only `yours` then lets it read. A worker that is stopped or
 * stuck answers nothing, and the connection is taken back for somebody else to serve, though a copy
 * of it is on its way in the channel. Whenever the worker wakes, `returned` is what it finds there,
 * and no `yours`: it closes its copy without having read or written a byte. So who serves a
 * connection is decided here, once, and no clock and no order of events can make it two.
 *
 * Where bare handles do not work, the connection travels with `yours` as a socket, since a socket
 * begins to read when it arrives. A worker that stops between `taken` and `yours` then keeps it.
 */
import type { Socket } from 'node:net';
import { type Handle, handleOf } from '../node-internals/connection-handle.ts';
import type { ToWorker } from './protocol.ts';

export interface HandOverOptions {
  /** Sends a message, with a copy of a connection; `sent` is called with whether it left. */
  readonly send: (
    message: ToWorker,
    passed?: Handle | Socket,
    sent?: (left: boolean) => void,
  ) => void;
  /** Whether bare handles work. Otherwise `yours` carries the connection, as a socket. */
  readonly bareHandles: () => boolean;
  /** How long a worker may take to answer. */
  readonly answerMs: number;
  /** A connection is the worker's, which may be given another. */
  readonly onTaken: () => void;
  /** The worker did not answer in time. */
  readonly onSilent: () => void;
  /** A connection that the worker will not serve, unread. */
  readonly onReturned: (socket: Socket) => void;
}

export interface HandOver {
  /** False when another connection is under way. */
  offer(socket: Socket): boolean;
  /** To be told of each `taken`, also of one that comes too late. */
  taken(id: number): void;
  /** Whether a connection is under way. */
  readonly busy: boolean;
  /** Calls back once no connection is under way: what is sent then is behind all of them. */
  whenIdle(action: () => void): void;
  /** The worker is gone: takes back what is under way. */
  end(): void;
}

export function createHandOver(options: HandOverOptions): HandOver {
  const { send, bareHandles, answerMs, onTaken, onSilent, onReturned } = options;
  let nextId = 1;
  let current: { id: number; socket: Socket; timer: NodeJS.Timeout; sent: boolean } | undefined;
  let waiting: (() => void)[] = [];

  function settle(): void {
    clearTimeout(current?.timer);
    current = undefined;
    const due = waiting;
    waiting = [];
    for (const action of due) action();
  }

  function takeBack(id: number): void {
    if (current?.id !== id) return;
    const { socket } = current;
    settle();
    if (!socket.destroyed) onReturned(socket);
  }

  /** Behind what has come meanwhile, since it may have been this process that slept. */
  const late = (id: number) =>
    setImmediate(() => {
      if (current?.id !== id) return;
      send({ type: 'returned', id });
      onSilent();
      takeBack(id);
    });

  return {
    offer(socket) {
      if (current !== undefined) return false;
      const handle = handleOf(socket);
      // Closed while it waited: there is nobody to be served.
      if (handle === undefined) return true;
      const id = nextId;
      nextId += 1;
      const sent = bareHandles();
      current = { id, socket, timer: setTimeout(late, answerMs, id), sent };
      send({ type: 'connection', id }, sent ? handle : undefined, (left) => {
        if (!left) takeBack(id);
      });
      return true;
    },
    taken(id) {
      if (current?.id !== id) return;
      const { socket, sent } = current;
      if (sent) {
        send({ type: 'yours', id });
        socket.destroy();
      } else {
        // Our copy is closed once the worker's is on its way; a connection that was not sent is unread.
        send({ type: 'yours', id }, socket, (left) => {
          if (left) socket.destroy();
          else if (!socket.destroyed) onReturned(socket);
        });
      }
      settle();
      onTaken();
    },
    get busy() {
      return current !== undefined;
    },
    whenIdle(action) {
      if (current === undefined) action();
      else waiting.push(action);
    },
    end() {
      if (current !== undefined) takeBack(current.id);
    },
  };
}
