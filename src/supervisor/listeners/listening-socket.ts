import { closeSync } from 'node:fs';
import type net from 'node:net';
import { BACKLOG } from '../../messages/listening.ts';
import { descriptorOfServer } from '../../node-internals/listener-descriptor.ts';

/** The calls of src/os/listening-descriptor.ts, which are loaded after the start. */
export type DescriptorCalls = typeof import('../../os/listening-descriptor.ts');

/**
 * A listening socket. Workers inherit its descriptor and accept on it. The supervisor accepts on it
 * while no worker does, and keeps a descriptor as long as it runs. Without that descriptor, the socket
 * would be closed with the last process that accepts.
 */
export class ListeningSocket {
  readonly #server: net.Server;
  #calls: DescriptorCalls | undefined;
  #kept: number | undefined;
  #isClosed = false;

  /** `server` is accepting. */
  constructor(server: net.Server) {
    this.#server = server;
  }

  address(): ReturnType<net.Server['address']> {
    return this.#server.address();
  }

  /** A descriptor that children can inherit; undefined where Node does not show it. */
  get descriptor(): number | undefined {
    return this.#kept ?? descriptorOfServer(this.#server);
  }

  /** Keeps the socket open from now on, whichever process accepts. @throws without a free descriptor */
  keep(calls: DescriptorCalls): void {
    const fd = this.descriptor;
    if (fd === undefined || this.#isClosed) return;
    this.#calls = calls;
    this.#kept = calls.duplicateDescriptor(fd);
  }

  /** Whether this process accepts from now on. @throws without a free descriptor */
  setAccepting(isWanted: boolean): void {
    if (this.#kept === undefined || this.#calls === undefined) return;
    if (isWanted === this.#server.listening) return;
    if (!isWanted) this.#server.close();
    else this.#server.listen({ fd: this.#calls.duplicateDescriptor(this.#kept) }, BACKLOG);
  }

  /** Whether a connection waits in the kernel's queue. */
  hasWaiting(): boolean {
    if (this.#kept === undefined) return false;
    return this.#calls?.hasWaitingConnection(this.#kept) === true;
  }

  /** Accepts nothing more, in any process. */
  close(): void {
    this.#isClosed = true;
    if (this.#server.listening) this.#server.close();
    if (this.#kept === undefined) return;
    this.#calls?.endListening(this.#kept);
    closeSync(this.#kept);
    this.#kept = undefined;
  }
}
