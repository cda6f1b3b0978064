import { EngineDeadlineError, EngineStuckError } from '../native/errors.ts';

/** What one request wants of the engine, while it waits for its answer. */
export interface Wish {
  /** Bytes that the engine is to copy. */
  readonly bytes: number;
  readonly reject: (error: Error) => void;
  /** Asked when its turn has come: why it need not be sent, if it need not. */
  readonly abandoned?: () => Error | undefined;
  /** The lane's own: past it the wish is given up, whatever the engine does. */
  expiresAtMs: number;
  /** The lane's own: answered or given up, so that what comes later is nobody's. */
  settled: boolean;
  /** The lane's own: the call that it has left with. */
  call: Call | undefined;
}

/** What is the lane's own of a wish, before it has come. */
export const freshWish = { expiresAtMs: 0, settled: false, call: undefined };

/** A call that is under way. */
interface Call {
  /** Somebody has given it up. */
  late: boolean;
  /** Another may be made in its place; it does not count any more. */
  substituted: boolean;
}

export interface LaneOptions<W extends Wish> {
  /** For errors: what took too long. */
  readonly operation: string;
  /** Calls under way at a time. */
  readonly callsInFlight: number;
  /** In one call: so many keys at most, and so many bytes unless a single wish has more. */
  readonly keysPerCall: number;
  readonly bytesPerCall: number;
  /** For each wish, from its coming to its answer. */
  readonly deadlineMs: number;
  /**
   * Makes one call for all of them and settles each. `returned` is to be called when the engine is
   * done with it, which may be long after what this rejects with.
   */
  readonly send: (wishes: readonly W[], returned: () => void) => Promise<void>;
  /** Whether a wish may go with the first of its call; by default it may. */
  readonly fits?: (first: W, wish: W) => boolean;
}

/**
 * One kind of engine call. A call costs a round trip, whether for one key or for hundreds (engine.md
 * §3): so wishes that come while calls are under way are collected, and leave together when one
 * returns. Nothing waits for a time: where no call is under way, what came in one turn of the loop
 * leaves at its end, a lone wish included.
 *
 * A wish has one deadline for waiting and being served. When every call of the lane is past it, the
 * lane is stuck: nobody waits for it any more until one returns, or is substituted.
 */
export class Lane<W extends Wish> {
  readonly #options: LaneOptions<W>;
  #waiting: W[] = [];
  /** Those under way too, in order of coming. */
  readonly #open = new Set<W>();
  #inFlight = 0;
  readonly #late = new Set<Call>();
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions<W>) {
    this.#options = options;
  }

  get stuck(): boolean {
    return this.#late.size >= this.#options.callsInFlight;
  }

  /** Whether a wish that comes now has to wait until a call returns. */
  get full(): boolean {
    return this.#inFlight >= this.#options.callsInFlight;
  }

  /** Wishes that wait for a call. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(wish: W): void {
    if (this.stuck) {
      wish.reject(this.#stuckError());
      return;
    }
    const { deadlineMs } = this.#options;
    wish.expiresAtMs = performance.now() + deadlineMs;
    this.#open.add(wish);
    this.#waiting.push(wish);
    this.#timer ??= this.#lookIn(deadlineMs);
    if (this.#scheduled || this.full) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#depart();
    });
  }

  /** Lets a call be made in the place of a late one, if there is one. */
  substitute(): void {
    const [call] = this.#late;
    if (call === undefined) return;
    call.substituted = true;
    this.#late.delete(call);
    this.#inFlight -= 1;
    this.#depart();
  }

  /** To be asked before a wish is answered: false when it was given up before. */
  settle(wish: W): boolean {
    if (wish.settled) return false;
    wish.settled = true;
    this.#open.delete(wish);
    return true;
  }

  #fail(wishes: readonly W[], error: Error): void {
    for (const wish of wishes) if (this.settle(wish)) wish.reject(error);
  }

  #depart(): void {
    while (this.#waiting.length > 0 && !this.full) {
      const wishes = this.#take();
      if (wishes.length === 0) return;
      this.#send(wishes);
    }
  }

  #send(wishes: readonly W[]): void {
    const call: Call = { late: false, substituted: false };
    for (const wish of wishes) wish.call = call;
    this.#inFlight += 1;
    let back = false;
    const returned = (): void => {
      if (back) return;
      back = true;
      if (call.substituted) return;
      this.#inFlight -= 1;
      this.#late.delete(call);
      this.#depart();
    };
    this.#options.send(wishes, returned).catch((error: unknown) => {
      // Past its deadline a call goes on; any other error comes from one that has ended.
      if (!(error instanceof EngineDeadlineError)) returned();
      else if (!back) this.#giveUp(call);
      this.#fail(wishes, error as Error);
    });
  }

  /** Those that may go together with the first one; the others stay in order. */
  #take(): W[] {
    const { keysPerCall, bytesPerCall, fits } = this.#options;
    const taken: W[] = [];
    const left: W[] = [];
    let bytes = 0;
    for (const wish of this.#waiting) {
      if (wish.settled) continue;
      const [first] = taken;
      const goes =
        first === undefined ||
        (taken.length < keysPerCall &&
          bytes + wish.bytes <= bytesPerCall &&
          fits?.(first, wish) !== false);
      if (!goes) {
        left.push(wish);
        continue;
      }
      const reason = wish.abandoned?.();
      if (reason !== undefined) {
        this.#fail([wish], reason);
        continue;
      }
      taken.push(wish);
      bytes += wish.bytes;
    }
    this.#waiting = left;
    return taken;
  }

  #giveUp(call: Call): void {
    if (call.late) return;
    call.late = true;
    this.#late.add(call);
    if (!this.stuck) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#fail(waiting, this.#stuckError());
  }

  /** One timer for all, since all have the same time: it looks at the oldest. */
  #lookIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      const now = performance.now();
      for (const wish of this.#open) {
        if (wish.expiresAtMs > now) {
          this.#timer = this.#lookIn(Math.ceil(wish.expiresAtMs - now));
          return;
        }
        const { operation, deadlineMs } = this.#options;
        this.#fail([wish], new EngineDeadlineError(operation, deadlineMs));
        if (wish.call !== undefined) this.#giveUp(wish.call);
      }
    }, ms).unref();
  }

  #stuckError(): EngineStuckError {
    return new EngineStuckError(this.#options.operation, this.#options.callsInFlight);
  }
}
