/** The states of one place in the pool, and the only moves between them. */

export type WorkerState = 'starting' | 'ready' | 'draining' | 'backing-off' | 'stopped';

/**
 * `ready` and `draining` are reported by the process, `exited` by the kernel, `due` by the backoff's
 * timer; `stop` is the supervisor's own wish, after which nothing is started again.
 */
export type WorkerEvent = 'ready' | 'draining' | 'exited' | 'due' | 'stop';

const moves: Readonly<Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>>> = {
  starting: { ready: 'ready', draining: 'draining', exited: 'backing-off', stop: 'draining' },
  ready: { draining: 'draining', exited: 'backing-off', stop: 'draining' },
  draining: { exited: 'backing-off' },
  'backing-off': { due: 'starting', stop: 'stopped' },
  stopped: {},
};

/** The state after an event; unchanged when the event means nothing there (a late message). */
export function move(state: WorkerState, event: WorkerEvent): WorkerState {
  return moves[state][event] ?? state;
}
