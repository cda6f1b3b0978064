/**
 * How a pool ends, so that nobody who was accepted is turned away: readiness fails; after a delay, in
 * which load balancers turn away, the listeners take what the kernel has accepted already and close;
 * workers take who still waits for one; and only then they drain.
 */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Dispatch } from './dispatch.ts';
import type { Listeners } from './listeners.ts';
import type { PoolLog } from './log.ts';
import { closeEngineMs } from './protocol.ts';

/** A place in the pool. */
interface Place {
  /** Whether a connection is under way to its worker, and may come back. */
  readonly offering: boolean;
  announceStop(): void;
  /** Drains its worker, and starts no other. */
  stop(deadlineMs: number): void;
  /** Lets its worker leave the pool, though others have not drained. */
  leave(): void;
}

export interface EndingOptions {
  readonly config: Pick<Config, 'drainMs' | 'drainDelayMs'>;
  readonly log: PoolLog;
  readonly places: readonly Place[];
  readonly dispatch: Pick<Dispatch, 'hold' | 'release' | 'waitingConnections'>;
  /** None while they are being opened. */
  readonly listeners: () => Listeners | undefined;
  /** The listeners are about to close. */
  readonly onClosing: () => void;
  /** It has taken longer than it may: everything is to be killed. */
  readonly onOverdue: (reason: string) => void;
}

export interface Ending {
  /** `delayed` when there is a readiness to fail first. */
  begin(reason: string, delayed: boolean): void;
  /** Nothing is waited for any more; the workers are told to stop at once. */
  hurry(): void;
  /** Everything has ended. */
  done(): void;
}

/** What a worker needs beyond its own deadlines to be gone. */
const slackMs = 500;
const lookMs = 5;

export function createEnding(options: EndingOptions): Ending {
  const { config, dispatch, listeners, log, places } = options;
  const { drainMs, drainDelayMs } = config;
  const hurried = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  let lastCall: NodeJS.Timeout | undefined;
  let told = false;

  function stopWorkers(leftMs: number): void {
    if (told) return;
    told = true;
    for (const place of places) place.stop(leftMs);
    lastCall = setTimeout(() => {
      for (const place of places) place.leave();
    }, leftMs);
  }

  async function run(reason: string, delayMs: number): Promise<void> {
    for (const place of places) place.announceStop();
    if (delayMs > 0) {
      log.info({ reason, drainDelayMs }, 'not ready any more; stopping after a delay');
      await pause(delayMs);
    }
    const started = performance.now();
    const leftMs = () => Math.max(0, Math.round(drainMs - (performance.now() - started)));
    options.onClosing();
    log.info({ reason, drainMs }, 'stopping; requests in flight may finish');
    const mostMs = drainMs + closeEngineMs;
    deadline = setTimeout(
      () => options.onOverdue(`${mostMs / 1000} s have passed`),
      mostMs + slackMs,
    );
    // Nobody is served meanwhile who would come back at once, so that the kernel's queue gets empty.
    dispatch.hold();
    await listeners()?.finish();
    dispatch.release();
    while (isWaitedFor() && leftMs() > 0 && !hurried.signal.aborted) {
      await pause(lookMs);
    }
    stopWorkers(leftMs());
  }

  const isWaitedFor = (): boolean =>
    dispatch.waitingConnections > 0 || places.some(({ offering }) => offering);

  const pause = (ms: number): Promise<void> =>
    elapse(ms, undefined, { signal: hurried.signal }).catch(() => undefined);

  return {
    begin(reason, delayed) {
      void run(reason, delayed ? drainDelayMs : 0);
    },
    hurry() {
      hurried.abort();
      listeners()?.close();
      stopWorkers(0);
    },
    done() {
      clearTimeout(deadline);
      clearTimeout(lastCall);
    },
  };
}
