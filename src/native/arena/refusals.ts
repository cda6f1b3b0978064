/**
 * Whether an arena has no memory for the requests that it has refused. This state begins when a
 * request is refused for lack of memory. It ends when a block of the smallest size refused since then
 * is allocated or is free.
 */
export class Refusals {
  readonly #now: () => number;
  #count = 0;
  #sinceMs: number | undefined;
  #smallestBytes = Number.POSITIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  refused(bytes: number): void {
    this.#count += 1;
    this.#sinceMs ??= this.#now();
    this.#smallestBytes = Math.min(this.#smallestBytes, bytes);
  }

  granted(bytes: number): void {
    if (bytes >= this.#smallestBytes) this.#end();
  }

  /** `bytes` are free in one piece, and no request waits for them. */
  hasRoom(bytes: number): void {
    if (bytes >= this.#smallestBytes) this.#end();
  }

  get count(): number {
    return this.#count;
  }

  /** How long the state has lasted; undefined outside this state. */
  get forMs(): number | undefined {
    return this.#sinceMs === undefined ? undefined : this.#now() - this.#sinceMs;
  }

  #end(): void {
    this.#sinceMs = undefined;
    this.#smallestBytes = Number.POSITIVE_INFINITY;
  }
}
