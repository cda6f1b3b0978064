/** A body on its way in or out, which holds a block until it ends. */
export interface Transfer {
  /** Bytes moved so far; only ever grows. */
  bytes: number;
  startedMs: number;
  lastBytes: number;
  lastMovedMs: number;
  /** Since when the other side is waited for, whose time is not the client's. */
  pausedMs: number | undefined;
  /** Asked for `bytes` when the watch looks, where they are not counted as they move. */
  readonly measure: (() => number) | undefined;
  /** Called once when the client is too slow, with why; it must end the transfer. */
  readonly cut: (reason: string) => void;
}

export interface TransferWatch {
  begin(cut: (reason: string) => void, measure?: () => number): Transfer;
  /** The client has to wait; to be called once before each `resume`. */
  pause(transfer: Transfer): void;
  /** It is the client's turn again, and what it had to wait does not count; harmless when it ended. */
  resume(transfer: Transfer): void;
  end(transfer: Transfer): void;
  close(): void;
  readonly active: number;
}

/** A transfer is given this long before its average rate counts: a slow start is no attack. */
const GRACE_MS = 10_000;

/**
 * Cuts off clients that send or read too slowly, because they hold a block of the arena (design.md
 * §2): no byte for `idleTimeoutMs`, or on average fewer than `minRateBytes` a second after a grace
 * of 10 s. One timer looks at all of them, four times within the shortest limit.
 */
export function createTransferWatch(options: {
  idleTimeoutMs: number;
  minRateBytes: number;
  now?: () => number;
  /** How often all are looked at, where that is not to follow from the limits. */
  lookMs?: number;
}): TransferWatch {
  const now = options.now ?? (() => performance.now());
  const active = new Set<Transfer>();
  const periodMs = options.lookMs ?? Math.min(1000, Math.max(10, options.idleTimeoutMs / 4));
  const timer = setInterval(look, periodMs);
  timer.unref();

  function look(): void {
    const atMs = now();
    for (const transfer of active) {
      if (transfer.measure !== undefined) transfer.bytes = transfer.measure();
      if (transfer.bytes > transfer.lastBytes) {
        transfer.lastBytes = transfer.bytes;
        transfer.lastMovedMs = atMs;
      }
      const reason = slowness(transfer, atMs);
      if (reason === undefined) continue;
      active.delete(transfer);
      transfer.cut(reason);
    }
  }

  function slowness(transfer: Transfer, atMs: number): string | undefined {
    const idleMs = atMs - transfer.lastMovedMs;
    if (idleMs > options.idleTimeoutMs) return `no byte moved for ${Math.round(idleMs)} ms`;
    const ageMs = atMs - transfer.startedMs;
    if (ageMs < GRACE_MS || options.minRateBytes === 0) return undefined;
    const rate = (transfer.bytes * 1000) / ageMs;
    return rate < options.minRateBytes
      ? `${Math.round(rate)} bytes a second are below the minimum of ${options.minRateBytes}`
      : undefined;
  }

  return {
    begin(cut, measure) {
      const atMs = now();
      const transfer: Transfer = {
        bytes: 0,
        startedMs: atMs,
        lastBytes: 0,
        lastMovedMs: atMs,
        pausedMs: undefined,
        measure,
        cut,
      };
      active.add(transfer);
      return transfer;
    },
    pause(transfer) {
      if (active.delete(transfer)) transfer.pausedMs = now();
    },
    resume(transfer) {
      if (transfer.pausedMs === undefined) return;
      const waitedMs = now() - transfer.pausedMs;
      transfer.pausedMs = undefined;
      transfer.startedMs += waitedMs;
      transfer.lastMovedMs += waitedMs;
      active.add(transfer);
    },
    end(transfer) {
      transfer.pausedMs = undefined;
      active.delete(transfer);
    },
    close: () => clearInterval(timer),
    get active() {
      return active.size;
    },
  };
}
