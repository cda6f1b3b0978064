import { ProblemError } from '../../errors/problems.ts';
import type { Share } from '../../native/arena/peer-shares.ts';

/** The limits of one client, in each worker; 0 is no limit. */
export interface ClientLimits {
  readonly inFlight: number;
  readonly bytesPerSecond: number;
}

/** Which limit of its own a client has reached. */
export type ClientLimit = 'in-flight' | 'bytes-per-second';

/** Requests that a client is refused for a limit of its own, by the limit. */
export type ClientRefusals = Record<ClientLimit, number>;

const MAX_RETRY_AFTER_S = 3600;

/**
 * One client: the peer whose share of the arena and of the text budget its requests use, the number of its
 * requests in flight, and the bytes that it may still move. It may move the bytes of one second at once.
 * The bytes of a request count when it ends, and may exceed what is left; then the client waits until the
 * rate has made up for them. So no transfer is delayed, which would hold its block.
 */
export class Client {
  /** What it holds of the arena and of the text budget (peer-shares.ts). */
  readonly shares: Share[] = [];
  readonly #limits: ClientLimits;
  readonly #refusals: ClientRefusals;
  #inFlight = 0;
  #leftBytes: number;
  #atMs: number;

  constructor(limits: ClientLimits, refusals: ClientRefusals, nowMs: number) {
    this.#limits = limits;
    this.#refusals = refusals;
    this.#leftBytes = limits.bytesPerSecond;
    this.#atMs = nowMs;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts a request, which must `leave`. @throws ProblemError `client-busy`, `client-too-fast` */
  enter(nowMs: number): void {
    const { inFlight, bytesPerSecond } = this.#limits;
    if (inFlight > 0 && this.#inFlight >= inFlight) {
      this.#refusals['in-flight'] += 1;
      throw new ProblemError('client-busy', {
        detail: `The client has ${inFlight} requests in flight, as many as it may have (--client-in-flight).`,
      });
    }
    if (bytesPerSecond > 0) {
      const left = this.#left(nowMs);
      if (left < 0) {
        this.#refusals['bytes-per-second'] += 1;
        throw tooFast(bytesPerSecond, -left);
      }
    }
    this.#inFlight += 1;
  }

  /** A request that has entered has ended; it has moved this many bytes, in both directions. */
  leave(bytes: number, nowMs: number): void {
    this.#inFlight -= 1;
    if (this.#limits.bytesPerSecond > 0) this.#leftBytes = this.#left(nowMs) - bytes;
  }

  /** Whether nothing is counted for it, so that it need not be remembered. */
  isIdle(nowMs: number): boolean {
    return (
      this.#inFlight === 0 &&
      this.#left(nowMs) >= this.#limits.bytesPerSecond &&
      this.shares.every(({ bytes }) => bytes === 0)
    );
  }

  #left(nowMs: number): number {
    const { bytesPerSecond } = this.#limits;
    const gained = ((nowMs - this.#atMs) * bytesPerSecond) / 1000;
    this.#atMs = nowMs;
    this.#leftBytes = Math.min(bytesPerSecond, this.#leftBytes + gained);
    return this.#leftBytes;
  }
}

function tooFast(bytesPerSecond: number, owedBytes: number): ProblemError {
  const seconds = Math.min(MAX_RETRY_AFTER_S, Math.ceil(owedBytes / bytesPerSecond));
  return new ProblemError('client-too-fast', {
    detail: `The client has moved more than ${bytesPerSecond} bytes a second (--client-bytes-per-second). It may send its next request in ${seconds} s.`,
    headers: { 'Retry-After': String(seconds) },
  });
}
