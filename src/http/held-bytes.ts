import { ProblemError } from '../errors.ts';
import { SMALL_BLOCK_BYTES } from '../native/limits.ts';
import { PeerShares, type Share } from '../native/peer-shares.ts';
import type { TextBudget } from './growing-text.ts';

/**
 * Bytes that requests hold outside the arena, against one bound for all of them: memory is bounded
 * by the configuration, however many clients send at once. Nothing waits here: requests that hold
 * some and wait for more could wait for each other.
 *
 * A peer is an object that stands for one client. Its first 64 KiB come out of the whole budget. What
 * it holds beyond leaves a sixteenth of the budget alone, and beyond a quarter also half of it
 * (docs/decisions/0014-slow-clients.md).
 */
export class HeldBytes {
  /** Bytes that all may hold together. */
  readonly most: number;
  readonly #shares: PeerShares;
  #held = 0;

  constructor(most: number) {
    this.most = most;
    this.#shares = new PeerShares(Math.floor(most / 4));
  }

  /** Bytes that one peer may hold when the others hold nothing. */
  get maxPeerBytes(): number {
    return Math.floor(this.most / 2);
  }

  get held(): number {
    return this.#held;
  }

  /**
   * Bytes held without a `peer` count against the whole budget only.
   * @throws ProblemError `arena-full`
   */
  take(bytes: number, peer?: object): void {
    const share = this.#shares.of(peer);
    if (this.#held + bytes > this.#limitFor(bytes, share)) {
      throw new ProblemError('arena-full', {
        detail: `Requests under way hold too much of the ${this.most} bytes set aside for JSON and headers (8 x --batch-json-bytes). Try again.`,
      });
    }
    this.#held += bytes;
    if (share !== undefined) share.bytes += bytes;
  }

  giveBack(bytes: number, peer?: object): void {
    const share = this.#shares.of(peer);
    this.#held -= bytes;
    if (share !== undefined) share.bytes -= bytes;
  }

  /** The same budget, on the account of one peer. */
  of(peer: object): TextBudget {
    return {
      take: (bytes) => this.take(bytes, peer),
      giveBack: (bytes) => this.giveBack(bytes, peer),
    };
  }

  /** How much all peers may hold together after this one takes so many more. */
  #limitFor(bytes: number, share: Share | undefined): number {
    if (share === undefined || share.bytes + bytes <= SMALL_BLOCK_BYTES) {
      return this.most;
    }
    if (this.#shares.wouldExceed(share, bytes)) return this.maxPeerBytes;
    return this.most - Math.floor(this.most / 16);
  }
}
