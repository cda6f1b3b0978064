/**
 * Signals that come while the program is still loading. Their default action would end it at once, or
 * as the first process of a container do nothing, and neither is what a gateway does with them.
 */
const held = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** A start takes about a second, and several on a busy machine. */
const MAX_HELD_MS = 10_000;

export interface EarlySignals {
  /** Gives what has come to the handlers that are there by now; where there are none, as if just sent. */
  handOver(): void;
}

/** Holds signals from now on; one that comes twice is one wish. */
export function holdSignals(): EarlySignals {
  const come = new Set<NodeJS.Signals>();
  let overdue: NodeJS.Timeout | undefined;
  const hold = (signal: NodeJS.Signals) => {
    come.add(signal);
    // A start that hangs must not outlive the signal.
    overdue ??= setTimeout(() => process.exit(1), MAX_HELD_MS);
  };
  for (const signal of held) process.on(signal, hold);
  return {
    handOver() {
      clearTimeout(overdue);
      for (const signal of held) process.off(signal, hold);
      for (const signal of come) {
        if (!process.emit(signal, signal)) process.kill(process.pid, signal);
      }
      come.clear();
    },
  };
}
