/** The worker's side of the heartbeat: it says that its event loop turns, and how engine calls fare. */
import { url as inspectorUrl } from 'node:inspector';
import type { FromWorker } from './protocol.ts';

/** How often a worker says that it lives, and its supervisor looks whether it has. */
export const beatMs = 500;

export type Heartbeat = Extract<FromWorker, { type: 'heartbeat' }>;

/** How the engine calls of a worker fare. */
export type CallHealth = Pick<Heartbeat, 'inFlight' | 'late' | 'stuck'>;

/**
 * Beats for as long as the process lives. The next beat waits until the last one has left, so that
 * a supervisor which sleeps does not fill this process's memory.
 */
export function startHeartbeat(
  send: (message: Heartbeat, sent: () => void) => void,
  health: () => CallHealth,
): void {
  let leaving = false;
  const beat = () => {
    if (leaving) return;
    leaving = true;
    const { inFlight, late, stuck } = health();
    const inspected = inspectorUrl() !== undefined;
    send({ type: 'heartbeat', inFlight, late, stuck, inspected }, () => {
      leaving = false;
    });
  };
  setInterval(beat, beatMs).unref();
  beat();
}
