/**
 * Decides from a worker's heartbeats, or their absence, whether it must be killed. A silent worker
 * has an event loop that does not turn, and serves no client. A worker whose calls hang still holds
 * objects of the pool in its memory, and gets much longer.
 */
import type { Config } from '../../config/config.ts';
import { beatMs, type Heartbeat } from '../../messages/heartbeat.ts';
import type { WorkerState } from '../../messages/state.ts';

export interface JudgeOptions {
  readonly limits: Pick<Config, 'heartbeatMs' | 'initDeadlineMs' | 'degradedLimitMs'>;
  /** Whether it was started for a debugger, which may hold it before its first beat. */
  readonly inspected: boolean;
  /** Whether a native debugger holds it just now. */
  readonly isTraced: () => boolean;
  readonly now?: () => number;
}

export interface HeartbeatJudge {
  heard(beat: Heartbeat): void;
  /** Call this every `beatMs`: time advances by these calls. */
  look(): void;
  /** Since its last heartbeat, or its start. */
  readonly silentMs: number;
  /** Why the worker is to be killed, in words; undefined when it is not. */
  verdict(state: WorkerState): string | undefined;
}

export function createHeartbeatJudge(options: JudgeOptions): HeartbeatJudge {
  const { heartbeatMs, initDeadlineMs, degradedLimitMs } = options.limits;
  const time = witnessedTime(options.now);
  let { inspected } = options;
  let heardMs = 0;
  /** When a debugger was last seen to hold the worker. */
  let tracedMs = Number.NEGATIVE_INFINITY;
  let stuckSinceMs: number | undefined;

  /** A start gives itself up after its own deadline, and may block the loop as it loads the engine. */
  function silenceLimitMs(state: WorkerState): number {
    if (heartbeatMs === 0 || inspected) return Number.POSITIVE_INFINITY;
    return state === 'starting' ? initDeadlineMs + heartbeatMs : heartbeatMs;
  }

  return {
    heard(beat) {
      heardMs = time.ms;
      inspected = beat.inspected;
      if (!beat.stuck) stuckSinceMs = undefined;
      else stuckSinceMs ??= time.ms;
    },
    look: () => time.look(),
    get silentMs() {
      return time.ms - heardMs;
    },
    verdict(state) {
      const silentMs = time.ms - heardMs;
      const limitMs = silenceLimitMs(state);
      // Before the limit, too: a worker may be released shortly before it.
      if (silentMs >= limitMs / 2 && options.isTraced()) tracedMs = time.ms;
      if (silentMs >= limitMs) {
        // A worker that its debugger has just released has not had the time to send a heartbeat.
        const excused = time.ms - tracedMs < limitMs;
        return excused ? undefined : `it has sent no heartbeat for ${seconds(silentMs)}`;
      }
      if (state !== 'degraded' || degradedLimitMs === 0 || stuckSinceMs === undefined) return;
      // While a debugger held the worker, no call of it could return.
      const stuckMs = time.ms - Math.max(stuckSinceMs, tracedMs);
      if (stuckMs < degradedLimitMs) return;
      return `its engine calls have been stuck for ${seconds(stuckMs)}`;
    },
  };
}

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

/**
 * Time during which this process ran. When a step between two calls of `look` is too long, this
 * process was stopped or busy, or the machine was suspended, and perhaps the worker was as well. So
 * no step counts for more than `beatMs`.
 */
function witnessedTime(now: () => number = () => performance.now()) {
  let ms = 0;
  let last = now();
  return {
    look() {
      const time = now();
      ms += Math.min(time - last, beatMs);
      last = time;
    },
    get ms() {
      return ms;
    },
  };
}
