/** Looks after one worker process for as long as it lives, and says when it is to be killed. */
import { beatMs, type Heartbeat } from './heartbeat.ts';
import { createHeartbeatJudge } from './heartbeat-judge.ts';
import type { WorkerState } from './state.ts';
import { isTraced, startsInspected } from './traced.ts';
import type { SlotOptions } from './worker-slot.ts';

export interface WatchOptions {
  readonly slot: Pick<SlotOptions, 'config' | 'env' | 'program'>;
  readonly pid: number | undefined;
  readonly state: () => WorkerState;
  /** Called with the reason, in words, at each look from then on until the watch ends. */
  readonly onVerdict: (reason: string) => void;
}

export interface HeartbeatWatch {
  heard(beat: Heartbeat): void;
  end(): void;
}

export function watchHeartbeat({ slot, pid, state, onVerdict }: WatchOptions): HeartbeatWatch {
  const { config, env, program } = slot;
  const judge = createHeartbeatJudge({
    limits: config,
    inspected: startsInspected(program.execArgv, env),
    isTraced: () => pid !== undefined && isTraced(pid),
  });
  let ended = false;
  const decide = () => {
    const reason = ended ? undefined : judge.verdict(state());
    if (reason !== undefined) onVerdict(reason);
  };
  const looking = setInterval(() => {
    judge.look();
    // Behind what has come meanwhile, since it may have been this process that slept.
    if (judge.verdict(state()) !== undefined) setImmediate(decide);
  }, beatMs);
  return {
    heard: (beat) => judge.heard(beat),
    end() {
      ended = true;
      clearInterval(looking);
    },
  };
}
