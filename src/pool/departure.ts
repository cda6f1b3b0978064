/** How a worker's end is told to people. */
import type { LogLevel } from './log.ts';
import type { FromWorker } from './protocol.ts';
import type { WorkerState } from './state.ts';
import type { Exit } from './worker-process.ts';

/** What a draining worker has said last. */
export type Remaining = Extract<FromWorker, { type: 'draining' }>;

/** What a place in the pool is waiting for, for the operator who wonders why it does not end. */
export function describeRemaining(
  worker: { readonly device: number; readonly pid: number | undefined; readonly answers: boolean },
  state: WorkerState,
  remaining: Remaining | undefined,
): string {
  const name = `the worker of device ${worker.device} (pid ${worker.pid ?? 'none'})`;
  const silent = worker.answers ? '' : ', and does not answer';
  if (remaining === undefined) return `${name} was ${state}${silent}`;
  const { stage, requests, calls } = remaining;
  if (stage === 'requests') {
    return `${name} was draining (requests in flight: ${requests}, engine calls: ${calls})${silent}`;
  }
  return calls > 0
    ? `${name} was waiting for engine calls that hang: ${calls}${silent}`
    : `${name} was uninitialising its engine${silent}`;
}

export const describeNone = (device: number): string => `device ${device} had no worker`;

/** `calm` when the supervisor asked for the exit, or the worker has served no request. */
export function logExit(
  log: (level: LogLevel, fields: object, message: string) => void,
  { code, signal, lastWords }: Exit,
  {
    calm,
    ...others
  }: { readonly calm: boolean; readonly worker: number | undefined; readonly backoffMs?: number },
): void {
  const end = signal === null ? `exited with code ${code ?? 'none'}` : `was ended by ${signal}`;
  const words = lastWords === '' ? {} : { stderr: lastWords };
  log(calm ? 'info' : 'error', { ...others, code, signal, ...words }, `worker ${end}`);
}
