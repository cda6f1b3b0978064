/** Why no worker takes a connection, in a sentence for the client. */

export interface Unavailability {
  readonly detail: string;
  readonly retryAfterSeconds: number;
}

export function unavailableReason(pool: {
  readonly stopping: boolean;
  /** Whether a worker is ready and responds. */
  readonly serving: boolean;
  /** Devices whose worker is ready and does not respond. */
  readonly silent: readonly number[];
  readonly everReady: boolean;
}): Unavailability {
  const { stopping, serving, silent, everReady } = pool;
  if (stopping) return { detail: 'The gateway is stopping.', retryAfterSeconds: 5 };
  if (serving) {
    const detail = 'More clients have connected than the gateway can serve at a time; try again.';
    return { detail, retryAfterSeconds: 1 };
  }
  if (silent.length > 0) {
    const [workers, verb] =
      silent.length === 1 ? ['worker of device', 'does'] : ['workers of devices', 'do'];
    const detail = `The ${workers} ${silent.join(', ')} ${verb} not respond; try again.`;
    return { detail, retryAfterSeconds: 2 };
  }
  const detail = `The gateway is ${everReady ? 'restarting' : 'starting'}; try again.`;
  return { detail, retryAfterSeconds: 1 };
}
