/**
 * Signals that arrive while the program is still loading. By default they would end it at once, and
 * in the first process of a container they would do nothing.
 */
const held = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** A start takes about a second, and several on a busy machine. */
const MAX_HELD_MS = 10_000;

export interface EarlySignals {
  /**
   * Passes the signals that have arrived to the handlers that are installed by now, else to the
   * default action.
   */
  handOver(): void;
}

/** Holds signals from now on; a signal that arrives twice is passed on once. */
export function holdSignals(): EarlySignals {
  const arrived = new Set<NodeJS.Signals>();
  let overdue: NodeJS.Timeout | undefined;
  const hold = (signal: NodeJS.Signals) => {
    arrived.add(signal);
    // A start that hangs must not outlive the signal.
    overdue ??= setTimeout(() => process.exit(1), MAX_HELD_MS);
  };
  for (const signal of held) process.on(signal, hold);
  return {
    handOver() {
      clearTimeout(overdue);
      for (const signal of held) process.off(signal, hold);
      for (const signal of arrived) {
        if (!process.emit(signal, signal)) process.kill(process.pid, signal);
      }
      arrived.clear();
    },
  };
}
