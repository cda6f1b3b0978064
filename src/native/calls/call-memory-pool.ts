import type { CallMemory } from './engine-context.ts';

/** The argument memory of calls: each call in flight has one piece until the engine returns. */
export class CallMemoryPool {
  readonly #size: number;
  readonly #free: CallMemory[];
  #onIdle: (() => void) | undefined;

  constructor(memory: readonly CallMemory[]) {
    this.#size = memory.length;
    this.#free = [...memory];
  }

  /** Calls in flight. */
  get inFlight(): number {
    return this.#size - this.#free.length;
  }

  /** Makes a call with its own piece of memory. Rejects if all pieces are in use. */
  async use<Result>(call: (memory: CallMemory) => Promise<Result>): Promise<Result> {
    const memory = this.#free.pop();
    if (memory === undefined) throw new Error(`more than ${this.#size} engine calls in flight`);
    try {
      return await call(memory);
    } finally {
      this.#free.push(memory);
      if (this.inFlight === 0) this.#onIdle?.();
    }
  }

  /** Resolves true when no call is in flight, false if `deadlineMs` is over first. */
  idle(deadlineMs: number): Promise<boolean> {
    if (this.inFlight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), deadlineMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
