/** The bytes that one peer holds. */
export interface Share {
  bytes: number;
}

/** A peer may keep a list of its shares, and so know whether it holds anything. */
interface Sharing {
  readonly shares?: Share[];
}

/**
 * The bytes that each peer holds of a shared budget. A peer is any object that represents one client
 * (http/connection/clients.ts). Its share is on the peer: in a WeakMap, V8 would keep a peer that is gone
 * until the next full collection.
 */
export class PeerShares {
  /** Bytes that one peer may hold while others need memory. */
  readonly shareBytes: number;
  readonly #share = Symbol('share');

  constructor(shareBytes: number) {
    this.shareBytes = shareBytes;
  }

  /** The share of a peer; undefined without a peer. */
  of(peer: object | undefined): Share | undefined {
    if (peer === undefined) return undefined;
    const owner = peer as Record<symbol, Share | undefined>;
    const known = owner[this.#share];
    if (known !== undefined) return known;
    const share = { bytes: 0 };
    owner[this.#share] = share;
    (peer as Sharing).shares?.push(share);
    return share;
  }

  /** Whether the peer holds more than its share. */
  isBeyond(peer: object | undefined): boolean {
    return (this.of(peer)?.bytes ?? 0) > this.shareBytes;
  }

  /**
   * Whether `bytes` more would exceed the limit of the share. Never for a peer that holds nothing:
   * otherwise a value larger than a share could not be stored or read.
   */
  wouldExceed(share: Share | undefined, bytes: number): boolean {
    return share !== undefined && share.bytes > 0 && share.bytes + bytes > this.shareBytes;
  }
}
