/**
 * What each peer holds of a budget that all peers share. A peer is any object that stands for one
 * client: a connection today. A peer that holds nothing has no entry, so peers cost no memory after
 * they release everything.
 */
export class PeerShares {
  /** Bytes that one peer may hold while others need the rest. */
  readonly shareBytes: number;
  readonly #held = new Map<object, number>();

  constructor(shareBytes: number) {
    this.shareBytes = shareBytes;
  }

  heldBy(peer: object): number {
    return this.#held.get(peer) ?? 0;
  }

  /**
   * Whether `bytes` more take the peer beyond its share. A peer that holds nothing never exceeds it:
   * otherwise no value larger than a share could be stored or read.
   */
  wouldExceed(peer: object | undefined, bytes: number): boolean {
    if (peer === undefined) return false;
    const held = this.#held.get(peer);
    return held !== undefined && held + bytes > this.shareBytes;
  }

  add(peer: object | undefined, bytes: number): void {
    if (peer === undefined || bytes === 0) return;
    this.#held.set(peer, this.heldBy(peer) + bytes);
  }

  subtract(peer: object | undefined, bytes: number): void {
    if (peer === undefined) return;
    const left = this.heldBy(peer) - bytes;
    if (left > 0) this.#held.set(peer, left);
    else this.#held.delete(peer);
  }
}
