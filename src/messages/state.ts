/** The states of one managed worker, and the transitions between them. */

/**
 * `starting`: its process opens the engine. `ready`: it serves. `degraded`: it serves, but engine calls
 * hang. `draining`: it finishes its requests and accepts no connection. `dead`: there is no process, and
 * the next one is due. `stopped`: there is no process and none will start.
 */
export type WorkerState = 'starting' | 'ready' | 'degraded' | 'draining' | 'dead' | 'stopped';

/**
 * The process reports `ready`, `stuck`, `recovered` and `draining`; the kernel reports `exited`, and the
 * timer of the backoff reports `due`. The supervisor itself causes `stop`, after which nothing is started
 * again.
 */
export type WorkerEvent = 'due' | 'ready' | 'stuck' | 'recovered' | 'draining' | 'exited' | 'stop';

const moves: Readonly<Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>>> = {
  starting: { ready: 'ready', draining: 'draining', exited: 'dead', stop: 'draining' },
  ready: { stuck: 'degraded', draining: 'draining', exited: 'dead', stop: 'draining' },
  degraded: { recovered: 'ready', draining: 'draining', exited: 'dead', stop: 'draining' },
  draining: { exited: 'dead' },
  dead: { due: 'starting', stop: 'stopped' },
  stopped: {},
};

/** The state after an event; unchanged if the event has no effect in this state (a late message). */
export function move(state: WorkerState, event: WorkerEvent): WorkerState {
  return moves[state][event] ?? state;
}

/** Whether a worker in this state accepts connections. */
export const takesConnections = (state: WorkerState): boolean =>
  state === 'ready' || state === 'degraded';
