/** A request that waits for a block. */
export interface RoomWaiter<Block> {
  readonly bytes: number;
  readonly peer: object | undefined;
  /** Whether the reserve may serve it. */
  readonly small: boolean;
  /** Position in the order of arrival. */
  readonly order: number;
  give(block: Block): void;
}

type WaiterTest<Block> = (waiter: RoomWaiter<Block>) => boolean;

/**
 * Requests that wait for memory, in order of arrival. Small and large ones have separate queues, so
 * that a large request, which may wait for seconds, does not delay small ones.
 */
export class RoomQueue<Block> {
  readonly #small = new Set<RoomWaiter<Block>>();
  readonly #large = new Set<RoomWaiter<Block>>();
  #arrivals = 0;
  #bytes = 0;

  get size(): number {
    return this.#small.size + this.#large.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  nextOrder(): number {
    return this.#arrivals++;
  }

  add(waiter: RoomWaiter<Block>): void {
    this.#lineOf(waiter).add(waiter);
    this.#bytes += waiter.bytes;
  }

  remove(waiter: RoomWaiter<Block>): void {
    if (this.#lineOf(waiter).delete(waiter)) this.#bytes -= waiter.bytes;
  }

  /** The first small waiter, or the first that `isWithinShare` admits. */
  firstSmall(isWithinShare: WaiterTest<Block> = () => true): RoomWaiter<Block> | undefined {
    return first(this.#small, isWithinShare);
  }

  /**
   * The first large waiter that `isWithinShare` admits. A peer beyond its share is skipped while any
   * other peer waits; it is served when no other peer waits.
   */
  firstLarge(isWithinShare: WaiterTest<Block>): RoomWaiter<Block> | undefined {
    const within = first(this.#large, isWithinShare);
    if (within !== undefined) return within;
    const next = first(this.#large, () => true);
    return next !== undefined && this.isAlone(next.peer) ? next : undefined;
  }

  /** Whether no other peer waits. */
  isAlone(peer: object | undefined): boolean {
    for (const waiter of this.#large) if (waiter.peer !== peer) return false;
    for (const waiter of this.#small) if (waiter.peer !== peer) return false;
    return true;
  }

  #lineOf({ small }: RoomWaiter<Block>): Set<RoomWaiter<Block>> {
    return small ? this.#small : this.#large;
  }
}

/** A Set keeps the order of insertion and allows removal at any position. */
function first<Item>(items: ReadonlySet<Item>, test: (item: Item) => boolean): Item | undefined {
  for (const item of items) if (test(item)) return item;
  return undefined;
}
