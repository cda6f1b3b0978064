/** Checks the heartbeats of one worker process, and reports when it must be killed. */
import { beatMs, type Heartbeat } from '../../messages/heartbeat.ts';
import type { WorkerState } from '../../messages/state.ts';
import { isTraced, startsInspected } from '../../os/traced.ts';
import { createHeartbeatJudge } from './heartbeat-judge.ts';
import type { ManagedWorkerOptions } from './managed-worker-options.ts';

/** After this number of missed heartbeats a worker gets no connections. */
const silentBeats = 4;

export interface WatchOptions {
  readonly managed: Pick<ManagedWorkerOptions, 'acceptMs' | 'config' | 'env' | 'program'>;
  readonly pid: number | undefined;
  readonly state: () => WorkerState;
  /** Called at each check while this number of heartbeats is missing. */
  readonly onSilent: () => void;
  /** Called with the reason, in words, at each check from then on until the watch ends. */
  readonly onVerdict: (reason: string) => void;
}

export interface HeartbeatWatch {
  heard(beat: Heartbeat): void;
  end(): void;
}

export function watchHeartbeat(options: WatchOptions): HeartbeatWatch {
  const { managed, pid, state, onSilent, onVerdict } = options;
  const { acceptMs, config, env, program } = managed;
  const silentMs = Math.max(acceptMs, silentBeats * beatMs);
  const judge = createHeartbeatJudge({
    limits: config,
    inspected: startsInspected(program.execArgv, env),
    isTraced: () => pid !== undefined && isTraced(pid),
  });
  let ended = false;
  const decide = () => {
    if (ended) return;
    if (judge.silentMs >= silentMs) onSilent();
    const reason = judge.verdict(state());
    if (reason !== undefined) onVerdict(reason);
  };
  const looking = setInterval(() => {
    judge.look();
    // The supervisor may have slept itself, so heartbeats that have arrived are read first.
    setImmediate(decide);
  }, beatMs);
  return {
    heard: (beat) => judge.heard(beat),
    end() {
      ended = true;
      clearInterval(looking);
    },
  };
}
