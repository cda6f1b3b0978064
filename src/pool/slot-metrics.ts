/** What the worker of one place in the pool counts, as far as it has told. */
import type { MetricJson } from './protocol.ts';

export interface SlotMetrics {
  /** Asks with `send`; true when the answer is there, false after `deadlineMs`. */
  ask(send: (id: number) => void, deadlineMs: number): Promise<boolean>;
  /** The worker has answered, perhaps too late for who asked. */
  collected(id: number, metrics: MetricJson[]): void;
  /** The last answer of the worker that there is now. */
  readonly last: MetricJson[] | undefined;
  /** The worker is gone: nobody waits for it any more. Returns the last it has told. */
  end(): MetricJson[] | undefined;
}

export function createSlotMetrics(): SlotMetrics {
  const asked = new Map<number, (answered: boolean) => void>();
  let nextId = 1;
  let last: MetricJson[] | undefined;

  return {
    ask(send, deadlineMs) {
      const id = nextId;
      nextId += 1;
      return new Promise((resolve) => {
        const timer = setTimeout(() => settle(false), deadlineMs);
        const settle = (answered: boolean) => {
          clearTimeout(timer);
          asked.delete(id);
          resolve(answered);
        };
        asked.set(id, settle);
        send(id);
      });
    },
    collected(id, metrics) {
      last = metrics;
      asked.get(id)?.(true);
    },
    get last() {
      return last;
    },
    end() {
      const told = last;
      last = undefined;
      for (const settle of [...asked.values()]) settle(false);
      return told;
    },
  };
}
