import { RateWindow } from './rate-window.ts';

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
  /** Whether it holds room in the arena that larger requests may wait for. */
  readonly holdsRoom: boolean;
  /** Made when the watch first looks, since most transfers have ended by then. */
  window: RateWindow | undefined;
  /** Called once when the client is too slow, with why; it must end the transfer. */
  readonly cut: (reason: string) => void;
}

export interface TransferWatch {
  /** `measure` and `holdsRoom`, true by default, as in Transfer. */
  begin(cut: (reason: string) => void, measure?: () => number, holdsRoom?: boolean): Transfer;
  /** The client has to wait; to be called once before each `resume`. */
  pause(transfer: Transfer): void;
  /** It is the client's turn again, and what it had to wait does not count; harmless when it ended. */
  resume(transfer: Transfer): void;
  end(transfer: Transfer): void;
  close(): void;
  readonly active: number;
}

/** While requests wait for room, transfers that hold some must be so many times as fast. */
const CONTENDED_FACTOR = 16;
/** Requests must have waited this long before a transfer is cut off for them, and between two cuts. */
const CONTENDED_MS = 1000;

export interface TransferLimits {
  readonly idleTimeoutMs: number;
  /** Bytes a second; 0 asks for none. */
  readonly minRateBytes: number;
}

/**
 * Cuts off clients that send or read too slowly, because they hold a block of the arena: no byte for
 * `idleTimeoutMs`, or fewer than `minRateBytes` a second over the last ten seconds. While requests
 * wait for room, it also cuts off the slowest transfer that holds room, one a second, if its rate is
 * below 16 times the minimum. Time in which the client had to wait for the gateway does not count.
 * One timer looks at all transfers, four times within the shortest limit.
 */
export function createTransferWatch(
  limits: TransferLimits,
  options: {
    /** Whether requests wait for room in the arena. */
    contended?: () => boolean;
    now?: () => number;
    /** How often all are looked at, where that is not to follow from the limits. */
    lookMs?: number;
  } = {},
): TransferWatch {
  const { idleTimeoutMs, minRateBytes } = limits;
  const now = options.now ?? (() => performance.now());
  const contended = options.contended ?? (() => false);
  const active = new Set<Transfer>();
  let contendedSinceMs: number | undefined;
  const periodMs = options.lookMs ?? Math.min(1000, Math.max(10, idleTimeoutMs / 4));
  const timer = setInterval(look, periodMs);
  timer.unref();

  function look(): void {
    const atMs = now();
    let slowest: Transfer | undefined;
    let slowestRate = CONTENDED_FACTOR * minRateBytes;
    for (const transfer of active) {
      const rate = rateOf(transfer, atMs);
      const reason = slowness(transfer, atMs, rate);
      if (reason !== undefined) cutOff(transfer, reason);
      else if (transfer.holdsRoom && rate !== undefined && rate < slowestRate) {
        slowest = transfer;
        slowestRate = rate;
      }
    }
    contendedSinceMs = contended() ? (contendedSinceMs ?? atMs) : undefined;
    if (contendedSinceMs === undefined || atMs - contendedSinceMs < CONTENDED_MS) return;
    // The next cut waits for another second: this one may free enough room.
    contendedSinceMs = atMs;
    if (slowest === undefined || !active.has(slowest)) return;
    cutOff(
      slowest,
      `${Math.round(slowestRate)} bytes a second are below the ${CONTENDED_FACTOR * minRateBytes} that are needed while other requests wait for room`,
    );
  }

  function rateOf(transfer: Transfer, atMs: number): number | undefined {
    if (transfer.measure !== undefined) transfer.bytes = transfer.measure();
    if (transfer.bytes > transfer.lastBytes) {
      transfer.lastBytes = transfer.bytes;
      transfer.lastMovedMs = atMs;
    }
    transfer.window ??= new RateWindow();
    return transfer.window.rate(atMs - transfer.startedMs, transfer.lastBytes);
  }

  function slowness(
    transfer: Transfer,
    atMs: number,
    rate: number | undefined,
  ): string | undefined {
    const idleMs = atMs - transfer.lastMovedMs;
    if (idleMs > idleTimeoutMs) return `no byte moved for ${Math.round(idleMs)} ms`;
    return rate !== undefined && rate < minRateBytes
      ? `${Math.round(rate)} bytes a second are below the minimum of ${minRateBytes}`
      : undefined;
  }

  function cutOff(transfer: Transfer, reason: string): void {
    active.delete(transfer);
    transfer.cut(reason);
  }

  return {
    begin(cut, measure, holdsRoom = true) {
      const atMs = now();
      const transfer: Transfer = {
        bytes: 0,
        startedMs: atMs,
        lastBytes: 0,
        lastMovedMs: atMs,
        pausedMs: undefined,
        measure,
        holdsRoom,
        window: undefined,
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
