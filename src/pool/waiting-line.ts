/** Connections that wait, in the order they came, until a living worker can take them. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

export interface LineOptions {
  /** Each costs a descriptor, and a few kilobytes. */
  readonly mostConnections: number;
  /** Nobody waits longer. */
  readonly patienceMs: number;
  /** Called for a connection that has waited so long; it is out of the line. */
  readonly onTired: (socket: Socket) => void;
}

export interface WaitingLine {
  readonly length: number;
  /** False when the line is full. */
  join(socket: Socket): boolean;
  /** Offers the first to `take`, then the next, until it answers false or nobody waits. */
  serve(take: (socket: Socket) => boolean): void;
}

export function createWaitingLine(options: LineOptions): WaitingLine {
  const { mostConnections, patienceMs, onTired } = options;
  // In order of coming, which a set keeps, and takes its first away at no cost.
  const waiting = new Set<{ readonly socket: Socket; readonly untilMs: number }>();
  let timer: NodeJS.Timeout | undefined;

  /** All are equally patient, so one timer, for the first, is enough. */
  function watch(): void {
    const [first] = waiting;
    if (first === undefined) timer = undefined;
    else timer = setTimeout(dismiss, Math.max(1, first.untilMs - performance.now())).unref();
  }

  function dismiss(): void {
    const now = performance.now();
    for (const place of waiting) {
      if (place.untilMs > now) break;
      waiting.delete(place);
      onTired(place.socket);
    }
    watch();
  }

  return {
    get length() {
      return waiting.size;
    },
    join(socket) {
      if (waiting.size >= mostConnections) return false;
      waiting.add({ socket, untilMs: performance.now() + patienceMs });
      if (timer === undefined) watch();
      return true;
    },
    serve(take) {
      for (const place of waiting) {
        if (!take(place.socket)) break;
        waiting.delete(place);
      }
    },
  };
}

/** More than this are no burst any more, and would wait in vain. */
const longestLine = 16_384;

/** Half of the descriptors that this process may have: the rest is for connections under way, and files. */
export function longestLineHere(
  readLimits = () => readFileSync('/proc/self/limits', 'utf8'),
): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readLimits()) ?? [];
  return soft === undefined ? longestLine : Math.min(longestLine, Math.floor(Number(soft) / 2));
}
