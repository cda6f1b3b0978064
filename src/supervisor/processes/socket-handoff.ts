/**
 * Gives connections to a worker: one at a time, each in three steps. The supervisor sends
 * `offer` with the connection, the worker responds with `accept`, and only `commit` lets the worker
 * read. A worker that is stopped or stuck sends no `accept`: the supervisor then revokes the offer
 * and gives the connection to another worker, although a copy of it is still in the channel. When
 * the worker wakes, it finds `revoke` there and no `commit`, and closes its copy without having
 * read or written a byte. So the supervisor alone decides, once, which worker serves a connection; no
 * clock and no order of events can make two workers serve it.
 *
 * Where bare handles do not work, the connection travels with `commit` as a socket, since a socket
 * begins to read when it arrives. A worker that stops between `accept` and `commit` then keeps it.
 */
import type { Socket } from 'node:net';
import { isOverTls } from '../../messages/listening.ts';
import type { ToWorker } from '../../messages/protocol.ts';
import { type Handle, handleOf } from '../../node-internals/connection-handle.ts';

export interface SocketHandoffOptions {
  /** Sends a message, with a copy of a connection; `sent` is called with whether it was sent. */
  readonly send: (
    message: ToWorker,
    passed?: Handle | Socket,
    sent?: (left: boolean) => void,
  ) => void;
  /** Whether bare handles work. Otherwise `commit` carries the connection, as a socket. */
  readonly bareHandles: () => boolean;
  /** How long a worker may take to send `accept`, in milliseconds. */
  readonly acceptMs: number;
  /** The worker has accepted a connection, and can be offered another. */
  readonly onAccepted: () => void;
  /** The worker did not send `accept` in time. */
  readonly onSilent: () => void;
  /** A connection that the worker will not serve, unread. */
  readonly onRevoked: (socket: Socket) => void;
}

interface Offer {
  readonly id: number;
  readonly socket: Socket;
  /** Whether the offer carried the connection; otherwise `commit` carries it. */
  readonly isCarried: boolean;
  readonly timer: NodeJS.Timeout;
}

/** Hands connections to one worker process. */
export class SocketHandoff {
  readonly #options: SocketHandoffOptions;
  #nextId = 1;
  #current: Offer | undefined;
  #idleActions: (() => void)[] = [];

  constructor(options: SocketHandoffOptions) {
    this.#options = options;
  }

  /** Whether a connection is being handed over. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  /** False while another connection is being handed over. */
  offer(socket: Socket): boolean {
    if (this.busy) return false;
    const handle = handleOf(socket);
    // A connection that was closed while it waited has no client to serve.
    if (handle === undefined) return true;
    const { send, bareHandles, acceptMs } = this.#options;
    const id = this.#nextId;
    this.#nextId += 1;
    const isCarried = bareHandles();
    const timer = setTimeout(() => this.#onTimeout(id), acceptMs);
    this.#current = { id, socket, isCarried, timer };
    send({ type: 'offer', id }, isCarried ? handle : undefined, (left) => {
      if (!left) this.#takeBack(id);
    });
    return true;
  }

  /** Call this for each `accept` of the worker, also for one that is too late. */
  accept(id: number): void {
    if (this.#current?.id !== id) return;
    const { send, onAccepted, onRevoked } = this.#options;
    const { socket, isCarried } = this.#current;
    const tls = isOverTls(socket);
    if (isCarried) {
      send({ type: 'commit', id, tls });
      socket.destroy();
    } else {
      // The supervisor closes its copy once the worker's is on its way; a connection that was not sent is unread.
      send({ type: 'commit', id, tls }, socket, (left) => {
        if (left) socket.destroy();
        else if (!socket.destroyed) onRevoked(socket);
      });
    }
    this.#settle();
    onAccepted();
  }

  /** Calls back once no connection is being handed over: a message that is sent then is behind all of them. */
  whenIdle(action: () => void): void {
    if (this.busy) this.#idleActions.push(action);
    else action();
  }

  /** The worker has ended: takes back the connection that is being handed over. */
  end(): void {
    if (this.#current !== undefined) this.#takeBack(this.#current.id);
  }

  /** The supervisor may have slept itself, so messages that have arrived in time are read first. */
  #onTimeout(id: number): void {
    setImmediate(() => {
      if (this.#current?.id !== id) return;
      this.#options.send({ type: 'revoke', id });
      this.#options.onSilent();
      this.#takeBack(id);
    });
  }

  #takeBack(id: number): void {
    if (this.#current?.id !== id) return;
    const { socket } = this.#current;
    this.#settle();
    if (!socket.destroyed) this.#options.onRevoked(socket);
  }

  #settle(): void {
    clearTimeout(this.#current?.timer);
    this.#current = undefined;
    const due = this.#idleActions;
    this.#idleActions = [];
    for (const action of due) action();
  }
}
