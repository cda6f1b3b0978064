/** What one peer holds, in bytes. */
export interface Share {
  bytes: number;
}

/**
 * What each peer holds of a budget that all peers share. A peer is any object that stands for one
 * client: a connection today. Its share lives as long as the peer does.
 */
export class PeerShares {
  /** Bytes that one peer may hold while others need the rest. */
  readonly shareBytes: number;
  readonly #shares = new WeakMap<object, Share>();

  constructor(shareBytes: number) {
    this.shareBytes = shareBytes;
  }

  /** The share of a peer; undefined without a peer. */
  of(peer: object | undefined): Share | undefined {
    if (peer === undefined) return undefined;
    const known = this.#shares.get(peer);
    if (known !== undefined) return known;
    const share = { bytes: 0 };
    this.#shares.set(peer, share);
    return share;
  }

  /**
   * Whether `bytes` more take the share beyond its limit. A peer that holds nothing never exceeds it:
   * otherwise no value larger than a share could be stored or read.
   */
  wouldExceed(share: Share | undefined, bytes: number): boolean {
    return share !== undefined && share.bytes > 0 && share.bytes + bytes > this.shareBytes;
  }
}
