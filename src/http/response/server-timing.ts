import type { IncomingMessage } from 'node:http';
import {
  beginTracing,
  type CallTrace,
  endTracing,
  type TracedCall,
} from '../../scheduler/call-trace.ts';

/** Whether the client wants to know where the time of its request goes. */
export const asksForTiming = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['memcache-timing'] === 'on';

/** The durations of one request, for the header Server-Timing (W3C Server Timing). */
export class RequestTiming implements CallTrace {
  #arenaMs = 0;
  #queueMs = 0;
  #engineMs = 0;

  constructor() {
    beginTracing();
  }

  ended({ submittedMs, sentMs, endedMs }: TracedCall): void {
    this.#queueMs += (sentMs ?? endedMs) - submittedMs;
    if (sentMs !== undefined) this.#engineMs += endedMs - sentMs;
  }

  waited(durationMs: number): void {
    this.#arenaMs += durationMs;
  }

  /** The value of the header, in milliseconds, for a response whose head is sent now. */
  valueAfter(totalMs: number): string {
    const durations = [
      ['arena', this.#arenaMs],
      ['queue', this.#queueMs],
      ['engine', this.#engineMs],
      ['total', totalMs],
    ] as const;
    return durations.map(([name, ms]) => `${name};dur=${roundedMs(ms)}`).join(', ');
  }

  /** To be called once, when the exchange has ended. */
  end(): void {
    endTracing();
  }
}

/** Microseconds are as exact as the clock. */
const roundedMs = (ms: number): number => Math.round(ms * 1000) / 1000;
