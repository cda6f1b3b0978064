/** Connections that wait, in the order of their arrival, until a worker can take them. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

export interface AcceptQueueOptions {
  /** Each connection costs a descriptor, and a few kilobytes. */
  readonly maxConnections: number;
  /** No connection waits longer. */
  readonly maxWaitMs: number;
  /** Called for a connection whose wait has timed out; it is no longer in the queue. */
  readonly onTimeout: (socket: Socket) => void;
}

export interface AcceptQueue {
  readonly length: number;
  /** False when the queue is full. */
  join(socket: Socket): boolean;
  /** Offers the first connection to `take`, then the next, until `take` returns false or none waits. */
  serve(take: (socket: Socket) => boolean): void;
}

export function createAcceptQueue(options: AcceptQueueOptions): AcceptQueue {
  const { maxConnections, maxWaitMs, onTimeout } = options;
  // A set keeps the order of insertion, and removes its first at no cost.
  const waiting = new Set<{ readonly socket: Socket; readonly untilMs: number }>();
  let timer: NodeJS.Timeout | undefined;

  /** All connections wait equally long, so one timer, for the first, is enough. */
  function watch(): void {
    const [first] = waiting;
    if (first === undefined) timer = undefined;
    else timer = setTimeout(dismiss, Math.max(1, first.untilMs - performance.now())).unref();
  }

  function dismiss(): void {
    const now = performance.now();
    for (const entry of waiting) {
      if (entry.untilMs > now) break;
      waiting.delete(entry);
      onTimeout(entry.socket);
    }
    watch();
  }

  return {
    get length() {
      return waiting.size;
    },
    join(socket) {
      if (waiting.size >= maxConnections) return false;
      waiting.add({ socket, untilMs: performance.now() + maxWaitMs });
      if (timer === undefined) watch();
      return true;
    },
    serve(take) {
      for (const entry of waiting) {
        if (!take(entry.socket)) break;
        waiting.delete(entry);
      }
    },
  };
}

/** More connections are no burst, and would wait until their timeout. */
const mostConnections = 16_384;

/** Half of the descriptors that this process may have: the others are for connections in handoff, and files. */
export function maxQueueLength(
  readLimits = () => readFileSync('/proc/self/limits', 'utf8'),
): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readLimits()) ?? [];
  return soft === undefined
    ? mostConnections
    : Math.min(mostConnections, Math.floor(Number(soft) / 2));
}
