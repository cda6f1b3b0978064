import { EngineClosedError, EngineDeadlineError, EngineStuckError } from './errors.ts';

/** How a call runs once it has a slot: it calls `finish` or `fail` once, when the engine is done. */
export type CallBody<Slot, Result> = (
  slot: Slot,
  finish: (result: Result) => void,
  fail: (error: Error) => void,
) => void;

interface Call<Slot> {
  readonly operation: string;
  readonly begin: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
  /** Ends the call's hold on its blocks: once, and never while the engine may use them. */
  readonly letGo: () => void;
  readonly timer: NodeJS.Timeout;
  slot: Slot | undefined;
  late: boolean;
}

export interface CallCounts {
  slots: number;
  inFlight: number;
  late: number;
  queued: number;
}

/**
 * Bounds the engine calls in flight: each holds a slot (its argument memory) until it returns, the
 * rest wait in order. A call has one deadline for waiting and running; past it the caller is told,
 * while slot and blocks stay with the call. When every slot is late nobody waits, until one returns
 * (design.md §4) or is substituted.
 */
export class CallSlots<Slot> {
  readonly #size: number;
  readonly #free: Slot[];
  readonly #deadlineMs: number;
  /** Slots that nobody has, unless they stand in for those of late calls. */
  readonly #substitutes: Slot[];
  readonly #queue = new Set<Call<Slot>>();
  #lent = 0;
  #late = 0;
  #closed = false;
  #drained: (() => void) | undefined;

  constructor(slots: readonly Slot[], deadlineMs: number, substitutes: readonly Slot[] = []) {
    this.#size = slots.length;
    this.#free = [...slots];
    this.#deadlineMs = deadlineMs;
    this.#substitutes = [...substitutes];
  }

  /** Whether nobody is served or waits, since every slot is held by a late call. */
  get stuck(): boolean {
    return this.#late === this.#total;
  }

  /**
   * Adds a slot in the place of one that a late call holds: false when there is none left to add, or
   * none to stand in for. When late calls return, as many slots go.
   */
  substitute(): boolean {
    if (this.#lent >= this.#late) return false;
    const slot = this.#substitutes.pop();
    if (slot === undefined) return false;
    this.#lent++;
    this.#give(slot);
    return true;
  }

  get #total(): number {
    return this.#size + this.#lent;
  }

  counts(): CallCounts {
    return {
      slots: this.#size,
      inFlight: this.#total - this.#free.length,
      late: this.#late,
      queued: this.#queue.size,
    };
  }

  /** Runs `body` on a slot; `letGo` is called when the engine is done with it, or never began. */
  run<Result>(
    operation: string,
    body: CallBody<Slot, Result>,
    letGo: () => void = nothing,
  ): Promise<Result> {
    const refusal = this.#refusal(operation);
    if (refusal !== undefined) {
      letGo();
      return Promise.reject(refusal);
    }
    return new Promise((resolve, reject) => {
      const finish = (result: Result): void => {
        resolve(result);
        this.#returned(call);
      };
      const fail = (error: Error): void => {
        reject(error);
        this.#returned(call);
      };
      const call: Call<Slot> = {
        operation,
        begin: (slot) => {
          try {
            body(slot, finish, fail);
          } catch (error) {
            // Before the engine was reached: nothing but a call's arguments can throw. Later, so
            // that a line of such calls does not recurse.
            queueMicrotask(() => fail(error as Error));
          }
        },
        reject,
        letGo,
        timer: setTimeout(() => this.#expire(call), this.#deadlineMs),
        slot: undefined,
        late: false,
      };
      const slot = this.#free.pop();
      if (slot === undefined) this.#queue.add(call);
      else this.#begin(call, slot);
    });
  }

  /** Refuses new calls; resolves true when all are done, false when `deadlineMs` is over first. */
  close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    if (this.#idle()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#drained = undefined;
        this.#emptyQueue((operation) => new EngineClosedError(operation));
        resolve(false);
      }, deadlineMs);
      this.#drained = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #refusal(operation: string): Error | undefined {
    if (this.#closed) return new EngineClosedError(operation);
    return this.stuck ? new EngineStuckError(operation, this.#total) : undefined;
  }

  #begin(call: Call<Slot>, slot: Slot): void {
    call.slot = slot;
    call.begin(slot);
  }

  #returned(call: Call<Slot>): void {
    clearTimeout(call.timer);
    if (call.late) this.#late--;
    call.letGo();
    const slot = call.slot as Slot;
    if (this.#lent > this.#late) {
      this.#lent--;
      this.#substitutes.push(slot);
    } else this.#give(slot);
    if (this.#idle()) this.#drained?.();
  }

  /** To the first in line, if there is one. */
  #give(slot: Slot): void {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      this.#begin(next, slot);
      return;
    }
    this.#free.push(slot);
  }

  /**
   * Only calls that run expire: all have the same time, and those that got the slots asked first, so
   * by the time of the first in line every slot is late, and the line is told then.
   */
  #expire(call: Call<Slot>): void {
    call.late = true;
    this.#late++;
    call.reject(new EngineDeadlineError(call.operation, this.#deadlineMs));
    if (this.stuck) {
      this.#emptyQueue((operation) => new EngineStuckError(operation, this.#total));
    }
  }

  #emptyQueue(errorFor: (operation: string) => Error): void {
    const waiting = [...this.#queue];
    this.#queue.clear();
    for (const call of waiting) {
      clearTimeout(call.timer);
      call.letGo();
      call.reject(errorFor(call.operation));
    }
  }

  #idle(): boolean {
    return this.#free.length === this.#total && this.#queue.size === 0;
  }
}

function nothing(): void {}
