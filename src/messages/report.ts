/** The state of the pool: each worker, and whether the gateway is ready and why. */
import type { Config } from '../config/config.ts';
import type { WorkerState } from './state.ts';

/** The state as clients see it, without internal distinctions of a missing worker. */
export type ClientState = 'starting' | 'ready' | 'degraded' | 'draining' | 'dead';

export interface ClientReport {
  readonly device: number;
  readonly serviceId: number | null;
  readonly state: ClientState;
  readonly pid: number | null;
  readonly restarts: number;
  /** Since the start of the process; 0 without a process. */
  readonly uptimeMs: number;
}

export interface PoolReport {
  readonly ready: boolean;
  /** How many workers are ready, how many are required, and which are not ready. */
  readonly detail: string;
  readonly clients: readonly ClientReport[];
}

/** A place in the pool. */
export interface ReportedPlace {
  readonly device: number;
  readonly state: WorkerState;
  /** Whether its worker is ready and responds. */
  readonly serving: boolean;
  /** Service id of its worker's engine; known when the engine is open. */
  readonly serviceId: number | undefined;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly uptimeMs: number;
}

export function reportPool(
  places: readonly ReportedPlace[],
  readyWhen: Config['readyWhen'],
): PoolReport {
  const clients = places.map(reportClient);
  const others = clients.filter(({ state }) => state !== 'ready');
  const ready = clients.length - others.length;
  const needed = readyWhen === 'all' ? clients.length : 1;
  return { ready: ready >= needed, detail: describe(ready, others, readyWhen), clients };
}

function reportClient(place: ReportedPlace): ClientReport {
  const { device, serviceId = null, pid = null, restarts, uptimeMs } = place;
  return {
    device,
    serviceId,
    state: stateOf(place),
    pid,
    restarts,
    uptimeMs: Math.round(uptimeMs),
  };
}

function stateOf({ state, serving }: ReportedPlace): ClientState {
  if (state === 'stopped') return 'dead';
  return state === 'ready' && !serving ? 'degraded' : state;
}

function describe(
  ready: number,
  others: readonly ClientReport[],
  readyWhen: Config['readyWhen'],
): string {
  const all = ready + others.length;
  if (others.length === 0)
    return all === 1 ? 'The worker is ready.' : `All ${all} workers are ready.`;
  const wanted = readyWhen === 'all' ? 'all have to be' : 'one is enough';
  const list = others.map(({ device, state }) => `device ${device} (${state})`).join(', ');
  const number = `${ready} of ${all} ${all === 1 ? 'worker' : 'workers'} ${ready === 1 ? 'is' : 'are'} ready`;
  return `${number}, and ${wanted} (--ready-when ${readyWhen}). Not ready: ${list}.`;
}
