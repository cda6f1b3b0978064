/** The worker's side of the heartbeat: reports that its event loop turns, and the state of its engine calls. */
import { url as inspectorUrl } from 'node:inspector';
import type { FromWorker } from './protocol.ts';

/** Interval at which a worker sends heartbeats and its supervisor checks them. */
export const beatMs = 500;

export type Heartbeat = Extract<FromWorker, { type: 'heartbeat' }>;

/** The state of a worker's engine calls. */
export type CallHealth = Pick<Heartbeat, 'inFlight' | 'late' | 'stuck'>;

/**
 * Sends heartbeats as long as the process lives. The next one waits until the last one has been sent;
 * otherwise a stopped supervisor would fill the memory of this process.
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
