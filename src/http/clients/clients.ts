import { Client, type ClientLimits, type ClientRefusals } from './client.ts';

/** Clients that are idle are forgotten once there are this many, or twice as many as remained the last time. */
const FIRST_SWEEP = 1024;

/**
 * The clients of a worker, by token, certificate or address. One is remembered as long as it has requests, holds bytes,
 * or has bytes to make up for: its limits count for all of its connections.
 */
export class Clients {
  readonly #limits: ClientLimits;
  readonly #refusals: ClientRefusals = { 'in-flight': 0, 'bytes-per-second': 0 };
  readonly #known = new Map<string, Client>();
  readonly #now: () => number;
  #sweepAt = FIRST_SWEEP;

  constructor(limits: ClientLimits, now = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** The client with a token. */
  withToken(id: string): Client {
    return this.#of(`token ${id}`);
  }

  /** The client with a certificate, by its common name. */
  withCertificate(name: string): Client {
    return this.#of(`certificate ${name}`);
  }

  /** The client at an address, or in a network of one client. */
  at(network: string): Client {
    return this.#of(network);
  }

  /** A client that has neither: the connection is the client. */
  unnamed(): Client {
    return new Client(this.#limits, this.#refusals, this.#now());
  }

  /** As `Client.enter`. */
  enter(client: Client): void {
    client.enter(this.#now());
  }

  leave(client: Client, bytes: number): void {
    client.leave(bytes, this.#now());
  }

  get refusals(): Readonly<ClientRefusals> {
    return this.#refusals;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  #of(name: string): Client {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#sweepAt) this.#sweep();
    const client = this.unnamed();
    this.#known.set(name, client);
    return client;
  }

  #sweep(): void {
    const nowMs = this.#now();
    for (const [name, client] of this.#known) if (client.isIdle(nowMs)) this.#known.delete(name);
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#known.size);
  }
}
