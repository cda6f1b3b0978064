/**
 * Accepts connections on the listening sockets that the worker has inherited, as many as the supervisor
 * permits. accept(2) decides which process serves a connection: a process that is stopped or stuck
 * accepts none, and a connection that no process has accepted stays in the kernel's queue.
 */
import { closeSync } from 'node:fs';
import net from 'node:net';
import { BACKLOG, FIRST_LISTENER } from '../messages/listening.ts';
import { duplicateDescriptor, endListening } from '../os/listening-descriptor.ts';

/** Connections that this process has accepted: in this epoch, and since its start. */
export interface Accepted {
  readonly epoch: number;
  readonly connections: number;
  readonly total: number;
  /** Whether it accepts none, because it has no room. */
  readonly isFull: boolean;
}

export interface AcceptorOptions {
  /** `listener` is its number among the inherited ones. */
  readonly onConnection: (socket: net.Socket, listener: number) => void;
  /**
   * Whether there is a descriptor for one more connection. Without one, libuv would accept and close
   * all connections in the kernel's queue, also those that another worker could serve.
   */
  readonly hasRoom: () => boolean;
  /** An epoch has begun, or half of the permitted connections are used up, or all, or there is no room. */
  readonly report: (accepted: Accepted) => void;
}

const retryMs = 50;

export class Acceptor {
  readonly #options: AcceptorOptions;
  #descriptors: number[] = [];
  #servers: net.Server[] = [];
  #epoch = 0;
  #connections = 0;
  #total = 0;
  #permitted = 0;
  #reportAt = 0;
  #isReportDue = false;
  #isFull = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  /** Connections that it has accepted since its start. */
  get total(): number {
    return this.#total;
  }

  /** This process has inherited this number of listening sockets. */
  inherit(count: number): void {
    this.#descriptors = Array.from({ length: count }, (_, index) => FIRST_LISTENER + index);
    this.#servers = this.#descriptors.map((_, index) => this.#createServer(index));
  }

  /** Accepts until it has accepted `connections` since the epoch began; a new number begins an epoch. */
  permit(epoch: number, connections: number): void {
    if (this.#descriptors.length === 0) return;
    if (epoch !== this.#epoch) {
      this.#connections = 0;
      this.#isReportDue = connections > 0;
      // A worker that is still full says so in each epoch.
      this.#isFull = false;
    }
    this.#epoch = epoch;
    this.#permitted = connections;
    this.#adjust();
    this.#setReport();
  }

  /** Accepts nothing more. */
  end(): void {
    this.#permitted = 0;
    this.#adjust();
    for (const fd of this.#descriptors) closeSync(fd);
    this.#descriptors = [];
  }

  /** The supervisor has ended. Clients must not wait in a queue of which no process accepts. */
  endForAll(): void {
    for (const fd of this.#descriptors) endListening(fd);
    this.end();
  }

  #createServer(listener: number): net.Server {
    const server = net.createServer({ allowHalfOpen: true }, (socket) =>
      this.#accept(socket, listener),
    );
    // A failed accept is no reason to end, unless another process has ended listening.
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EINVAL') this.end();
      else if (!server.listening) this.#adjustLater();
    });
    return server;
  }

  #accept(socket: net.Socket, listener: number): void {
    this.#connections += 1;
    this.#total += 1;
    this.#options.onConnection(socket, listener);
    this.#adjust();
    if (this.#connections < this.#reportAt) return;
    this.#report();
  }

  #report(): void {
    this.#isReportDue = false;
    this.#setReport();
    const { report } = this.#options;
    const [epoch, connections, total] = [this.#epoch, this.#connections, this.#total];
    report({ epoch, connections, total, isFull: this.#isFull });
  }

  /** The supervisor must have the time to permit more before the worker has to stop. */
  #setReport(): void {
    this.#reportAt = this.#connections + Math.ceil((this.#permitted - this.#connections) / 2);
  }

  #adjust(): void {
    const isPermitted = this.#connections < this.#permitted;
    const wasFull = this.#isFull;
    this.#isFull = isPermitted && !this.#options.hasRoom();
    const isWanted = isPermitted && !this.#isFull;
    for (const [index, server] of this.#servers.entries()) {
      if (server.listening === isWanted) continue;
      if (isWanted) this.#listen(server, this.#descriptors[index]);
      else server.close();
    }
    if (this.#isFull) {
      this.#adjustLater();
      // Otherwise the other workers would wait until the supervisor finds that this one accepts none.
      if (!wasFull) {
        this.#report();
        this.#isReportDue = true;
      }
    }
    // The supervisor waits for a worker that can accept.
    else if (this.#isReportDue && this.#servers.every(({ listening }) => listening)) this.#report();
  }

  /** The server closes its descriptor, so it gets a duplicate. */
  #listen(server: net.Server, fd = -1): void {
    try {
      server.listen({ fd: duplicateDescriptor(fd) }, BACKLOG);
    } catch {
      // Without a free descriptor; one becomes free with the next connection that ends.
      this.#adjustLater();
    }
  }

  #adjustLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#adjust();
    }, retryMs).unref();
  }
}
