/**
 * How a worker gets its connections: one at a time, each in three steps. It is sent one with
 * `connection`, and answers `taken`; only `yours` then lets it read. A worker that is stopped or
 * stuck answers nothing, and the connection is taken back for somebody else to serve, though a copy
 * of it is on its way in the channel. Whenever the worker wakes, `returned` is what it finds there,
 * and no `yours`: it closes its copy without having read or written a byte. So who serves a
 * connection is decided here, once, and no clock and no order of events can make it two.
 */
import type { Socket } from 'node:net';
import { type Handle, handleOf } from '../node-internals/connection-handle.ts';
import type { ToWorker } from './protocol.ts';

export interface HandOverOptions {
  /** Sends a message, with a copy of a connection; `failed` is called when it did not leave. */
  readonly send: (message: ToWorker, handle?: Handle, failed?: () => void) => void;
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
  const { send, answerMs, onTaken, onSilent, onReturned } = options;
  let nextId = 1;
  let current: { id: number; socket: Socket; timer: NodeJS.Timeout } | undefined;
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
      current = { id, socket, timer: setTimeout(late, answerMs, id) };
      send({ type: 'connection', id }, handle, () => takeBack(id));
      return true;
    },
    taken(id) {
      if (current?.id !== id) return;
      send({ type: 'yours', id });
      current.socket.destroy();
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
