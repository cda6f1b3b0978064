/** The links of an item; the list sets them. */
export interface Link<Item> {
  previous: Item | undefined;
  next: Item | undefined;
}

/**
 * Items in order of arrival, for items that change with every request. The items themselves contain the
 * links; a removed item has none. A Map or a Set would keep removed items alive: V8 leaves them in the
 * tables that it replaces, and a table in old space keeps everything that it references until a full
 * collection.
 */
export class LinkedList<Item extends Link<Item>> {
  #size = 0;
  #first: Item | undefined;
  #last: Item | undefined;

  get size(): number {
    return this.#size;
  }

  get first(): Item | undefined {
    return this.#first;
  }

  /** Adds an item that is in no list. */
  add(item: Item): void {
    item.previous = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#size += 1;
  }

  /** Removes an item that is in this list. */
  remove(item: Item): void {
    const { previous, next } = item;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    item.previous = undefined;
    item.next = undefined;
    this.#size -= 1;
  }

  /** The current items, in order. */
  toArray(): Item[] {
    const items: Item[] = [];
    for (let item = this.#first; item !== undefined; item = item.next) items.push(item);
    return items;
  }
}
