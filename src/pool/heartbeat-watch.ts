/** Looks after one worker process for as long as it lives, and says when it is to be killed. */
import { beatMs, type Heartbeat } from './heartbeat.ts';
import { createHeartbeatJudge } from './heartbeat-judge.ts';
import type { SlotOptions } from './slot-options.ts';
import type { WorkerState } from './state.ts';
import { isTraced, startsInspected } from './traced.ts';

/** So many missed at least, and nobody should wait for it. */
const silentBeats = 4;

export interface WatchOptions {
  readonly slot: Pick<SlotOptions, 'answerMs' | 'config' | 'env' | 'program'>;
  readonly pid: number | undefined;
  readonly state: () => WorkerState;
  /** Called at each look while some heartbeats have been missed. */
  readonly onSilent: () => void;
  /** Called with the reason, in words, at each look from then on until the watch ends. */
  readonly onVerdict: (reason: string) => void;
}

export interface HeartbeatWatch {
  heard(beat: Heartbeat): void;
  end(): void;
}

export function watchHeartbeat(options: WatchOptions): HeartbeatWatch {
  const { slot, pid, state, onSilent, onVerdict } = options;
  const { answerMs, config, env, program } = slot;
  const silentMs = Math.max(answerMs, silentBeats * beatMs);
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
    // Behind what has come meanwhile, since it may have been this process that slept.
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
