/** The stand-by in the supervisor: loaded when it is first wanted, its answers told and counted. */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { createLineLimit } from '../http/line-limit.ts';
import type { PoolLog } from './log.ts';
import type { Standby, StandbyAnswer, StandbyOptions } from './standby.ts';

export interface StandbyHostOptions
  extends Pick<StandbyOptions, 'situation' | 'metricsText' | 'report'> {
  readonly config: Pick<
    Config,
    'allowHost' | 'allowOrigin' | 'idleTimeoutMs' | 'disableNodeFeatures'
  >;
  readonly log: PoolLog;
}

export interface StandbyHost {
  load(): Promise<Standby>;
  /** Answers given, by status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Waits a little until those that came without a worker have been told so, unless `isOver`. */
  lastAnswers(isOver: () => boolean): Promise<void>;
}

const lastAnswersMs = 300;
const lookMs = 5;

export function createStandbyHost(options: StandbyHostOptions): StandbyHost {
  const { config, log, situation, metricsText, report } = options;
  const answers = new Map<number, number>();
  const limit = createLineLimit((problem, suppressed) =>
    log.warn({ problem, suppressed }, 'requests without a worker that have no line of their own'),
  );
  let loading: Promise<Standby> | undefined;

  function answered({ error, ...answer }: StandbyAnswer): void {
    const { status } = answer;
    answers.set(status, (answers.get(status) ?? 0) + 1);
    if (error !== undefined) log.error({ ...answer, err: error }, 'request failed');
    else if (status >= 500) {
      if (limit.admits(answer.problem ?? String(status)))
        log.warn(answer, 'no worker for a request');
    } else if (status >= 400) log.info(answer, 'request refused');
  }

  return {
    load() {
      loading ??= Promise.all([
        import('./standby.ts'),
        import('../node-internals/probe-features.ts').then(({ probeServerFeatures }) =>
          probeServerFeatures(config.disableNodeFeatures),
        ),
      ]).then(([{ createStandby }]) =>
        createStandby({
          allowHosts: config.allowHost,
          allowOrigins: config.allowOrigin,
          idleTimeoutMs: config.idleTimeoutMs,
          situation,
          metricsText,
          report,
          onAnswer: answered,
        }),
      );
      return loading;
    },
    answers,
    async lastAnswers(isOver) {
      const standby = await loading;
      const until = performance.now() + lastAnswersMs;
      while ((standby?.connections ?? 0) > 0 && !isOver() && performance.now() < until) {
        await elapse(lookMs);
      }
      limit.flush();
    },
  };
}
