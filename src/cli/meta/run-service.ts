import type { MetaConfig } from '../../engine-config/meta-config.ts';
import type { EarlySignals } from '../early-signals.ts';
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
 * Runs the meta service to its end, and announces when it is ready. Resolves with the exit code:
 * the service's own, or 1 when it could not be started, or 128+n when signal n arrived before that.
 */
export async function runService(options: RunOptions): Promise<number> {
  const { file, config } = options;
  const ending = new AbortController();
  const signals = passSignalsOn(() => ending.abort());
  options.signals.handOver();
  try {
    const occupied = await othersRespond(config, ending.signal);
    if (signals.first !== undefined) return codeOfSignal(signals.first);
    // The responses of the other program would look like those of this service.
    if (occupied) {
      return complain(
        `another program already responds at ${config.healthUrl}, perhaps another meta service; stop it, or change ock.mmc.meta_service.metrics_url in ${config.path}`,
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

/** Whether a program responds at the address of the service. */
async function othersRespond(config: MetaConfig, signal: AbortSignal): Promise<boolean> {
  return isAskable(config) && (await askHealth(config.healthUrl, signal)).state !== 'silent';
}

/** @throws the system's error when the service cannot be started. */
async function superviseService(
  options: RunOptions,
  signals: SignalPassing,
  ending: AbortController,
): Promise<number> {
  const { file, config, announcer } = options;
  const service = startService(file);
  const errors: Error[] = [];
  // The service must not outlive this command.
  const onError = (error: Error) => {
    errors.push(error);
    complain(`stopping the meta service: ${error.stack ?? String(error)}`);
    service.kill('SIGTERM');
  };
  process.on('uncaughtException', onError);
  signals.to(service);
  const watching = isAskable(config)
    ? announceReadiness(options, service.pid, ending.signal)
    : Promise.resolve(announcer.warn(`${config.healthUrl} is not checked: it needs a certificate`));
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
