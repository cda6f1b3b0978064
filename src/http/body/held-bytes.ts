import { ProblemError } from '../../errors/problems.ts';
import { SMALL_BLOCK_BYTES } from '../../native/abi/limits.ts';
import { PeerShares, type Share } from '../../native/arena/peer-shares.ts';

/**
 * Bytes that requests hold outside the arena, against one limit for all of them: the configuration
 * limits memory, however many clients send at once. No request waits here: requests that hold some
 * and wait for more could wait for each other.
 *
 * A peer is an object that represents one client. It may always take its first 64 KiB while the budget
 * has room. Beyond that, the last sixteenth of the budget is reserved for others; for a peer that holds
 * more than a quarter of the budget, the second half is (docs/decisions/0014-slow-clients.md).
 */
export class HeldBytes {
  /** Bytes that all may hold together. */
  readonly most: number;
  readonly #shares: PeerShares;
  #held = 0;
  #shareRefusals = 0;

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

  /** Requests that were refused although there was room for other peers. */
  get shareRefusals(): number {
    return this.#shareRefusals;
  }

  /**
   * Bytes held without a `peer` count against the whole budget only.
   * @throws ProblemError `arena-full`; `client-share-full` if there is room that only other peers may use
   */
  take(bytes: number, peer?: object): void {
    const share = this.#shares.of(peer);
    if (this.#held + bytes > this.#limitFor(bytes, share)) {
      if (this.#isOwnLimit(bytes, share)) {
        this.#shareRefusals += 1;
        throw new ProblemError('client-share-full', {
          detail: `The requests of this client hold too many of the ${this.most} bytes reserved for JSON and headers (8 x --batch-json-bytes): one client may use half of them. Send fewer batches at a time, or smaller ones.`,
        });
      }
      throw new ProblemError('arena-full', {
        detail: `Requests in progress hold too many of the ${this.most} bytes reserved for JSON and headers (8 x --batch-json-bytes). Try again.`,
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

  /** Bytes that all peers together may hold after this one takes `bytes` more. */
  #limitFor(bytes: number, share: Share | undefined): number {
    if (share === undefined || share.bytes + bytes <= SMALL_BLOCK_BYTES) {
      return this.most;
    }
    if (this.#shares.wouldExceed(share, bytes)) return this.maxPeerBytes;
    return this.#mostForLarge;
  }

  /** Whether this peer alone would hold more than one may, although there is room. */
  #isOwnLimit(bytes: number, share: Share | undefined): boolean {
    const own = share?.bytes ?? 0;
    return own > 0 && own + bytes > this.maxPeerBytes && this.#held + bytes <= this.#mostForLarge;
  }

  /** The last sixteenth is for the first bytes of clients. */
  get #mostForLarge(): number {
    return this.most - Math.floor(this.most / 16);
  }
}
