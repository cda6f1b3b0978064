import { Socket } from 'node:net';
import { closePassed, type Handle, socketOf } from '../node-internals/connection-handle.ts';
import type { RunningGateway } from './running-gateway.ts';

/** The worker's side of a handoff (socket-handoff.ts): the worker must not read a connection before `commit`. */
export class OfferedConnection {
  readonly #gateway: () => Pick<RunningGateway, 'accept'> | undefined;
  #offered: { readonly id: number; readonly passed: Handle | Socket } | undefined;

  /** Without a gateway a committed connection is closed. */
  constructor(gateway: () => Pick<RunningGateway, 'accept'> | undefined) {
    this.#gateway = gateway;
  }

  /** `passed` is undefined when the connection was closed on its way, or arrives with `commit`. */
  offer(id: number, passed: Handle | Socket | undefined): void {
    if (passed !== undefined) this.#offered = { id, passed };
  }

  /** The connection is this worker's. `tls`: its listener has TLS. `passed` is the connection where `offer` did not carry it. */
  commit(id: number, tls: boolean, passed: Handle | Socket | undefined): void {
    if (passed !== undefined) this.#serve(passed, tls);
    else if (this.#offered?.id === id) this.#serve(this.#offered.passed, tls);
    this.#offered = undefined;
  }

  /** Another process owns the connection. */
  revoke(): void {
    if (this.#offered !== undefined) closePassed(this.#offered.passed);
    this.#offered = undefined;
  }

  #serve(passed: Handle | Socket, tls: boolean): void {
    const gateway = this.#gateway();
    if (gateway === undefined) {
      closePassed(passed);
      return;
    }
    const socket = passed instanceof Socket ? passed : socketOf(passed);
    // Small responses are sent at once.
    socket.setNoDelay(true);
    gateway.accept(socket, tls);
  }
}
