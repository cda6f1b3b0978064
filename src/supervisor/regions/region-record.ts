import type {
  RegionOwner,
  RegionSpec,
  RegionState,
  RegionView,
  WorkerRegionState,
} from '../../messages/regions.ts';

interface InWorker {
  readonly state: WorkerRegionState | 'mapping';
  readonly detail: string;
}

/** One registration of the memory of a client: where it is mapped, and in which state. */
export class RegionRecord {
  readonly spec: RegionSpec;
  state: RegionState = 'registering';
  owner: RegionOwner;
  readonly #registeredMs = performance.now();
  /** Undefined without a limit. */
  #untilMs: number | undefined;
  #ttlMs: number | null = null;
  readonly #workers = new Map<number, InWorker>();
  readonly #waiting = new Set<() => void>();

  constructor(spec: RegionSpec, ttlMs: number | null) {
    this.spec = spec;
    this.owner = spec.owner;
    this.limit(ttlMs);
  }

  /** From now on it lives for `ttlMs`. */
  limit(ttlMs: number | null): void {
    this.#ttlMs = ttlMs;
    this.#untilMs = ttlMs === null ? undefined : performance.now() + ttlMs;
  }

  get hasExpired(): boolean {
    return this.#untilMs !== undefined && performance.now() >= this.#untilMs;
  }

  /** Notes its state in the worker of a device. */
  note(device: number, state: WorkerRegionState | 'mapping', detail = ''): void {
    if (state === 'unmapped') this.#workers.delete(device);
    else this.#workers.set(device, { state, detail });
    this.#wake();
  }

  stateIn(device: number): WorkerRegionState | 'mapping' | undefined {
    return this.#workers.get(device)?.state;
  }

  /** Why a worker could not map it; undefined where all have. */
  get failure(): string | undefined {
    return [...this.#workers.values()].find(({ state }) => state === 'failed')?.detail;
  }

  /** Whether a worker may still have it in its memory. */
  get isMapped(): boolean {
    return [...this.#workers.values()].some(({ state }) => state !== 'failed');
  }

  /** Resolves true when the condition holds, false when `deadlineMs` is over first. */
  until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (result: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(result);
      };
      const check = () => {
        if (condition()) settle(true);
      };
      const timer = setTimeout(() => settle(false), deadlineMs);
      this.#waiting.add(check);
      check();
    });
  }

  view(inFlight: number): RegionView {
    const { name, shmKey, offset, byteSize } = this.spec;
    const { uid, pid } = this.owner;
    return {
      ...{ name, shmKey, offset, byteSize, state: this.state, inFlight },
      owner: { uid, pid },
      sinceMs: Math.round(performance.now() - this.#registeredMs),
      ttlMs: this.#ttlMs,
      workers: [...this.#workers].map(([device, { state, detail }]) => ({
        device,
        state,
        ...(detail === '' ? {} : { detail }),
      })),
    };
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }
}
