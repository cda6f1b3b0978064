/** From the start of the meta service to its end; readiness is told between the two. */
import type { EarlySignals } from '../early-signals.ts';
import type { MetaConfig } from '../native/meta-config.ts';
import type { Announcer } from './announcement.ts';
import { askHealth, awaitServing } from './health.ts';
import {
  codeOfSignal,
  passSignalsOn,
  type SignalPassing,
  startService,
} from './service-process.ts';

export interface RunOptions {
  readonly file: string;
  readonly config: MetaConfig;
  readonly announcer: Announcer;
  /** Since the program began. */
  readonly signals: EarlySignals;
}

const slowMs = 30_000;

/**
 * Resolves with the exit code: the service's own, or 1 when it could not be started, or 128+n when
 * signal n came before that.
 */
export async function runService(options: RunOptions): Promise<number> {
  const { file, config } = options;
  const ending = new AbortController();
  const signals = passSignalsOn(() => ending.abort());
  options.signals.handOver();
  try {
    const occupied = await othersAnswer(config, ending.signal);
    if (signals.first !== undefined) return codeOfSignal(signals.first);
    // The other one's answers would be taken for this one's.
    if (occupied) {
      return complain(
        `somebody answers at ${config.healthUrl} already, perhaps another meta service; end that, or change ock.mmc.meta_service.metrics_url in ${config.path}`,
      );
    }
    return await superviseService(options, signals, ending);
  } catch (error) {
    return complain(`${file} cannot be started: ${String(error)}`);
  } finally {
    signals.forget();
  }
}

const isAskable = ({ healthUrl }: MetaConfig): boolean => healthUrl.startsWith('http:');

/** Whether somebody answers where the service is to. */
async function othersAnswer(config: MetaConfig, signal: AbortSignal): Promise<boolean> {
  return isAskable(config) && (await askHealth(config.healthUrl, signal)).state !== 'silent';
}

/** From its start to its end. @throws what the system says when it cannot be started. */
async function superviseService(
  options: RunOptions,
  signals: SignalPassing,
  ending: AbortController,
): Promise<number> {
  const { file, config, announcer } = options;
  const service = startService(file);
  const errors: Error[] = [];
  // Who waits for this command must not find the service alive behind it.
  const onError = (error: Error) => {
    errors.push(error);
    complain(`the meta service is told to end: ${error.stack ?? String(error)}`);
    service.kill('SIGTERM');
  };
  process.on('uncaughtException', onError);
  signals.to(service);
  const watching = isAskable(config)
    ? announceReadiness(options, service.pid, ending.signal)
    : Promise.resolve(announcer.warn(`${config.healthUrl} is not asked: it wants a certificate`));
  try {
    const code = await service.ended;
    return errors.length > 0 ? 1 : code;
  } finally {
    ending.abort();
    await watching;
    process.off('uncaughtException', onError);
  }
}

async function announceReadiness(
  { file, config, announcer }: RunOptions,
  servicePid: number,
  signal: AbortSignal,
): Promise<void> {
  const { serviceUrl, healthUrl } = config;
  const begin = performance.now();
  const serving = await awaitServing({
    url: healthUrl,
    signal,
    warnAfterMs: slowMs,
    onSlow(why) {
      const seconds = slowMs / 1000;
      announcer.warn(`the meta service is not ready after ${seconds} s (${healthUrl}: ${why})`);
    },
  });
  if (!serving) return;
  const startMs = Math.round(performance.now() - begin);
  announcer.ready(
    { address: serviceUrl, health: healthUrl, program: file, servicePid, startMs },
    `The meta service is ready at ${serviceUrl} (${healthUrl}), started in ${startMs} ms`,
  );
}

function complain(message: string): number {
  process.stderr.write(`memcache-gateway: ${message}\n`);
  return 1;
}
