/** Describes the end of a worker to people. */
import type { LogLevel } from '../../log/waiting-log.ts';
import type { FromWorker } from '../../messages/protocol.ts';
import type { WorkerState } from '../../messages/state.ts';
import type { Exit } from './worker-process-options.ts';

/** The last message of a draining worker. */
export type Remaining = Extract<FromWorker, { type: 'draining' }>;

/** The activity that a place in the pool waits for: shows an operator why it does not end. */
export function describeRemaining(
  worker: {
    readonly device: number;
    readonly pid: number | undefined;
    readonly responsive: boolean;
  },
  state: WorkerState,
  remaining: Remaining | undefined,
): string {
  const name = `the worker of device ${worker.device} (pid ${worker.pid ?? 'none'})`;
  const silent = worker.responsive ? '' : ', and does not respond';
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

/** `calm` when the supervisor requested the exit, or the worker has served no request. */
export function logExit(
  log: (level: LogLevel, fields: object, message: string) => void,
  { code, signal, stderrTail }: Exit,
  {
    calm,
    ...others
  }: { readonly calm: boolean; readonly worker: number | undefined; readonly backoffMs?: number },
): void {
  const end = signal === null ? `exited with code ${code ?? 'none'}` : `was ended by ${signal}`;
  const words = stderrTail === '' ? {} : { stderr: stderrTail };
  log(calm ? 'info' : 'error', { ...others, code, signal, ...words }, `worker ${end}`);
}
