/** From the start of the meta service to its end; readiness is told between the two. */
import type { MetaConfig } from '../native/meta-config.ts';
import type { Announcer } from './announcement.ts';
import { askHealth, awaitServing } from './health.ts';
import { passSignalsOn, startService } from './service-process.ts';

export interface RunOptions {
  readonly file: string;
  readonly config: MetaConfig;
  readonly announcer: Announcer;
}

const slowMs = 30_000;

/** Resolves with the exit code: the service's own, or 1 when it could not be started. */
export async function runService(options: RunOptions): Promise<number> {
  const { file, config, announcer } = options;
  const askable = config.healthUrl.startsWith('http:');
  if (askable && (await askHealth(config.healthUrl)).state !== 'silent') {
    // The other one's answers would be taken for this one's.
    return complain(
      `somebody answers at ${config.healthUrl} already, perhaps another meta service; end that, or change ock.mmc.meta_service.metrics_url in ${config.path}`,
    );
  }
  const ending = new AbortController();
  const service = startService(file);
  const forget = passSignalsOn(service, () => ending.abort());
  const watching = askable
    ? announceReadiness(options, service.pid, ending.signal)
    : Promise.resolve(announcer.warn(`${config.healthUrl} is not asked: it wants a certificate`));
  try {
    return await service.ended;
  } catch (error) {
    return complain(`${file} cannot be started: ${String(error)}`);
  } finally {
    ending.abort();
    await watching;
    forget();
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
