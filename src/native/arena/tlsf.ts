/**
 * Two-level segregated fit over numbered granules: finds a free run of granules in constant time.
 * Blocks are records in typed arrays, so that they create no garbage. A released block is merged with
 * both neighbours at once, so that two free blocks never touch.
 */

/** Second-level classes for each power of two: 32 classes waste less than 1/32. */
const SECOND_BITS = 5;
const SECOND = 1 << SECOND_BITS;
const FIRST = 32 - SECOND_BITS;
const NONE = -1;
const IN_USE = -2;
const UNUSED = -3;
const INITIAL_RECORDS = 256;

export class Tlsf {
  readonly granules: number;
  /** Free granules. */
  free: number;
  #start = new Int32Array(INITIAL_RECORDS);
  #size = new Int32Array(INITIAL_RECORDS);
  #before = new Int32Array(INITIAL_RECORDS);
  #after = new Int32Array(INITIAL_RECORDS);
  /** Neighbours in the list of a class; `#previous` also marks a record as in use or unused. */
  #previous = new Int32Array(INITIAL_RECORDS);
  #next = new Int32Array(INITIAL_RECORDS);
  #spare = NONE;
  #records = 0;
  readonly #heads = new Int32Array(FIRST * SECOND).fill(NONE);
  readonly #seconds = new Int32Array(FIRST);
  #firsts = 0;

  /** @throws RangeError unless `granules` is 1…2^30. */
  constructor(granules: number) {
    if (!Number.isInteger(granules) || granules < 1 || granules > 2 ** 30) {
      throw new RangeError(`${granules} granules: must be 1 to 2^30`);
    }
    this.granules = granules;
    this.free = granules;
    const all = this.#newRecord(0, granules);
    this.#before[all] = NONE;
    this.#after[all] = NONE;
    this.#insert(all);
  }

  /** First granule of a block. */
  startOf(record: number): number {
    return this.#start[record] as number;
  }

  sizeOf(record: number): number {
    return this.#size[record] as number;
  }

  /** A record for a block of exactly `size` granules (1 or more), or −1. */
  allocate(size: number): number {
    const record = this.#find(size);
    if (record === NONE) return NONE;
    this.#remove(record);
    const rest = (this.#size[record] as number) - size;
    if (rest > 0) {
      this.#size[record] = size;
      const tail = this.#newRecord((this.#start[record] as number) + size, rest);
      const after = this.#after[record] as number;
      this.#before[tail] = record;
      this.#after[tail] = after;
      this.#after[record] = tail;
      if (after !== NONE) this.#before[after] = tail;
      this.#insert(tail);
    }
    this.#previous[record] = IN_USE;
    this.free -= size;
    return record;
  }

  /** Releases a block and returns the size of the free run that contains it. Throws if it is not in use. */
  release(record: number): number {
    if (this.#previous[record] !== IN_USE) throw new Error('a free block was released again');
    this.free += this.#size[record] as number;
    let whole = record;
    const before = this.#before[record] as number;
    if (before !== NONE && this.#previous[before] !== IN_USE) {
      this.#remove(before);
      this.#absorb(before, record);
      whole = before;
    }
    const after = this.#after[whole] as number;
    if (after !== NONE && this.#previous[after] !== IN_USE) {
      this.#remove(after);
      this.#absorb(whole, after);
    }
    this.#insert(whole);
    return this.#size[whole] as number;
  }

  /** Good fit: the smallest class whose blocks all fit; otherwise a fitting block of the size's own class. */
  #find(size: number): number {
    if (size > this.free) return NONE;
    const log = 31 - Math.clz32(size);
    const wanted = log < SECOND_BITS ? size : size + (1 << (log - SECOND_BITS)) - 1;
    const wantedClass = classOf(wanted);
    let first = wantedClass >>> SECOND_BITS;
    let seconds = (this.#seconds[first] as number) & (-1 << (wantedClass & (SECOND - 1)));
    if (seconds === 0) {
      const firsts = first < 31 ? this.#firsts & (-1 << (first + 1)) : 0;
      if (firsts === 0) return this.#scan(size);
      first = lowestBit(firsts);
      seconds = this.#seconds[first] as number;
    }
    return this.#heads[(first << SECOND_BITS) | lowestBit(seconds)] as number;
  }

  /** Needed only when memory is nearly full: a block of the size's own class may still fit. */
  #scan(size: number): number {
    let record = this.#heads[classOf(size)] as number;
    while (record !== NONE && (this.#size[record] as number) < size) {
      record = this.#next[record] as number;
    }
    return record;
  }

  #insert(record: number): void {
    const index = classOf(this.#size[record] as number);
    const head = this.#heads[index] as number;
    this.#previous[record] = NONE;
    this.#next[record] = head;
    if (head !== NONE) this.#previous[head] = record;
    this.#heads[index] = record;
    const first = index >>> SECOND_BITS;
    this.#seconds[first] = (this.#seconds[first] as number) | (1 << (index & (SECOND - 1)));
    this.#firsts |= 1 << first;
  }

  #remove(record: number): void {
    const previous = this.#previous[record] as number;
    const next = this.#next[record] as number;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) {
      this.#next[previous] = next;
      return;
    }
    const index = classOf(this.#size[record] as number);
    this.#heads[index] = next;
    if (next !== NONE) return;
    const first = index >>> SECOND_BITS;
    const seconds = (this.#seconds[first] as number) & ~(1 << (index & (SECOND - 1)));
    this.#seconds[first] = seconds;
    if (seconds === 0) this.#firsts &= ~(1 << first);
  }

  /** Merges `right`, which follows `left`, into `left`. */
  #absorb(left: number, right: number): void {
    this.#size[left] = (this.#size[left] as number) + (this.#size[right] as number);
    const after = this.#after[right] as number;
    this.#after[left] = after;
    if (after !== NONE) this.#before[after] = left;
    this.#previous[right] = UNUSED;
    this.#next[right] = this.#spare;
    this.#spare = right;
  }

  #newRecord(start: number, size: number): number {
    let record = this.#spare;
    if (record !== NONE) {
      this.#spare = this.#next[record] as number;
    } else {
      record = this.#records++;
      if (record === this.#start.length) this.#grow();
    }
    this.#start[record] = start;
    this.#size[record] = size;
    return record;
  }

  #grow(): void {
    const doubled = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.#start = doubled(this.#start);
    this.#size = doubled(this.#size);
    this.#before = doubled(this.#before);
    this.#after = doubled(this.#after);
    this.#previous = doubled(this.#previous);
    this.#next = doubled(this.#next);
  }
}

/** Each size below 32 has its own class; above, each power of two has 32 classes. */
function classOf(size: number): number {
  const log = 31 - Math.clz32(size);
  if (log < SECOND_BITS) return size;
  return ((log - SECOND_BITS + 1) << SECOND_BITS) | ((size >>> (log - SECOND_BITS)) & (SECOND - 1));
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
