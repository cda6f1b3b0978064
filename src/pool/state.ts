/** The states of one place in the pool, and the only moves between them. */

/**
 * `starting`: its process opens the engine. `ready`: it serves. `degraded`: it serves, but engine
 * calls hang. `draining`: it finishes, and takes no connection. `dead`: there is no process, and the
 * next one is due. `stopped`: there is none and none will come.
 */
export type WorkerState = 'starting' | 'ready' | 'degraded' | 'draining' | 'dead' | 'stopped';

/**
 * `ready`, `stuck`, `recovered` and `draining` are reported by the process, `exited` by the kernel,
 * `due` by the backoff's timer; `stop` is the supervisor's own wish, after which nothing is started
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

/** The state after an event; unchanged when the event means nothing there (a late message). */
export function move(state: WorkerState, event: WorkerEvent): WorkerState {
  return moves[state][event] ?? state;
}

/** Whether a worker in this state takes connections at all. */
export const takesConnections = (state: WorkerState): boolean =>
  state === 'ready' || state === 'degraded';
