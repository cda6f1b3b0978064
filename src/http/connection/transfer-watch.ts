import { type Link, LinkedList } from '../../collections/linked-list.ts';
import { RateWindow } from './rate-window.ts';

/** A body on its way in or out, which holds a block until it ends. */
export interface Transfer extends Link<Transfer> {
  /** Whether the watch looks at it: neither paused nor ended. */
  isActive: boolean;
  /** Bytes moved so far; never decreases. */
  bytes: number;
  startedMs: number;
  lastBytes: number;
  lastMovedMs: number;
  /** The time since which the client waits for the gateway. */
  pausedMs: number | undefined;
  /** Gives `bytes` when the watch looks, for a transfer that does not count them as they move. */
  readonly measure: (() => number) | undefined;
  /** Whether it holds room in the arena that larger requests may wait for. */
  readonly holdsRoom: boolean;
  /** The client whose share of the arena it uses. */
  readonly peer: object | undefined;
  /** Made when the watch first looks, since most transfers have ended by then. */
  window: RateWindow | undefined;
  /** Called once with the reason when the client is too slow; it must end the transfer. */
  readonly cut: (reason: string) => void;
}

/** While requests wait for room, transfers that hold some must be this many times as fast. */
const CONTENDED_FACTOR = 16;
/** Requests must have waited this long before a transfer is cut off for them, and between two cuts. */
const CONTENDED_MS = 1000;
/** The window of a client that holds more than its share: it should not have the room at all. */
const CROWDING_WINDOW_MS = 2000;

export interface TransferLimits {
  readonly idleTimeoutMs: number;
  /** Bytes a second; 0 for no minimum. */
  readonly minRateBytes: number;
}

export interface TransferWatchOptions {
  /** Whether requests wait for room in the arena. */
  readonly contended?: () => boolean;
  /** Whether a client holds more than its share of the arena while others wait. */
  readonly isCrowding?: (peer: object | undefined) => boolean;
  readonly now?: () => number;
  /** The interval of the checks, where it must not follow from the limits. */
  readonly pollMs?: number;
}

/**
 * Cuts off clients that send or read too slowly, because they hold a block of the arena: no byte for
 * `idleTimeoutMs`, or fewer than `minRateBytes` a second over the last ten seconds. While requests
 * wait for room, it also cuts off the slowest transfer that holds room, one a second, if its rate is
 * below 16 times the minimum; of a client that holds more than its share while others wait, already over
 * the last two seconds. Time in which the client waits for the gateway does not count. One timer
 * looks at all transfers, four times within the shortest limit.
 */
export class TransferWatch {
  readonly #limits: TransferLimits;
  readonly #now: () => number;
  readonly #contended: () => boolean;
  readonly #isCrowding: (peer: object | undefined) => boolean;
  readonly #active = new LinkedList<Transfer>();
  readonly #timer: NodeJS.Timeout;
  #contendedSinceMs: number | undefined;

  constructor(limits: TransferLimits, options: TransferWatchOptions = {}) {
    this.#limits = limits;
    this.#now = options.now ?? (() => performance.now());
    this.#contended = options.contended ?? (() => false);
    this.#isCrowding = options.isCrowding ?? (() => false);
    const pollMs = options.pollMs ?? Math.min(1000, Math.max(10, limits.idleTimeoutMs / 4));
    this.#timer = setInterval(() => this.#look(), pollMs);
    this.#timer.unref();
  }

  get active(): number {
    return this.#active.size;
  }

  begin(
    cut: Transfer['cut'],
    measure?: Transfer['measure'],
    holdsRoom = true,
    peer?: object,
  ): Transfer {
    const atMs = this.#now();
    const transfer: Transfer = {
      bytes: 0,
      startedMs: atMs,
      lastBytes: 0,
      lastMovedMs: atMs,
      pausedMs: undefined,
      measure,
      holdsRoom,
      peer,
      window: undefined,
      cut,
      isActive: true,
      previous: undefined,
      next: undefined,
    };
    this.#active.add(transfer);
    return transfer;
  }

  /** The client waits for the gateway until `resume` is called. */
  pause(transfer: Transfer): void {
    if (this.#deactivate(transfer)) transfer.pausedMs = this.#now();
  }

  /** Counts time again; without effect unless the transfer is paused. */
  resume(transfer: Transfer): void {
    if (transfer.pausedMs === undefined) return;
    const waitedMs = this.#now() - transfer.pausedMs;
    transfer.pausedMs = undefined;
    transfer.startedMs += waitedMs;
    transfer.lastMovedMs += waitedMs;
    transfer.isActive = true;
    this.#active.add(transfer);
  }

  end(transfer: Transfer): void {
    transfer.pausedMs = undefined;
    this.#deactivate(transfer);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** False when it was not active. */
  #deactivate(transfer: Transfer): boolean {
    if (!transfer.isActive) return false;
    transfer.isActive = false;
    this.#active.remove(transfer);
    return true;
  }

  #cutOff(transfer: Transfer, reason: string): void {
    this.#deactivate(transfer);
    transfer.cut(reason);
  }

  #look(): void {
    const atMs = this.#now();
    const { minRateBytes } = this.#limits;
    let slowest: Transfer | undefined;
    let slowestRate = CONTENDED_FACTOR * minRateBytes;
    for (const transfer of this.#active.toArray()) {
      // A cut may have ended others.
      if (!transfer.isActive) continue;
      const rate = rateOf(transfer, atMs);
      const reason = slowness(transfer, atMs, rate, this.#limits);
      if (reason !== undefined) {
        this.#cutOff(transfer, reason);
        continue;
      }
      if (!transfer.holdsRoom) continue;
      const recent = this.#isCrowding(transfer.peer) ? recentRate(transfer, atMs) : rate;
      if (recent !== undefined && recent < slowestRate) {
        slowest = transfer;
        slowestRate = recent;
      }
    }
    if (!this.#mayMakeRoom(atMs) || slowest === undefined || !slowest.isActive) return;
    const wanted = CONTENDED_FACTOR * minRateBytes;
    this.#cutOff(
      slowest,
      `${Math.round(slowestRate)} bytes a second are below the ${wanted} that are needed while other requests wait for room`,
    );
  }

  /** Whether requests have waited for room long enough. The next cut waits as long: one may free enough. */
  #mayMakeRoom(atMs: number): boolean {
    this.#contendedSinceMs = this.#contended() ? (this.#contendedSinceMs ?? atMs) : undefined;
    if (this.#contendedSinceMs === undefined || atMs - this.#contendedSinceMs < CONTENDED_MS) {
      return false;
    }
    this.#contendedSinceMs = atMs;
    return true;
  }
}

/** Notes what has moved; the rate is undefined in the first ten seconds. */
function rateOf(transfer: Transfer, atMs: number): number | undefined {
  if (transfer.measure !== undefined) transfer.bytes = transfer.measure();
  if (transfer.bytes > transfer.lastBytes) {
    transfer.lastBytes = transfer.bytes;
    transfer.lastMovedMs = atMs;
  }
  transfer.window ??= new RateWindow();
  return transfer.window.rate(atMs - transfer.startedMs, transfer.lastBytes);
}

/** The rate of the last seconds; undefined while it is younger. */
const recentRate = ({ window, startedMs, lastBytes }: Transfer, atMs: number): number | undefined =>
  window?.recentRate(atMs - startedMs, lastBytes, CROWDING_WINDOW_MS);

/** Why a transfer is too slow; undefined when it is fast enough. */
function slowness(
  transfer: Transfer,
  atMs: number,
  rate: number | undefined,
  { idleTimeoutMs, minRateBytes }: TransferLimits,
): string | undefined {
  const idleMs = atMs - transfer.lastMovedMs;
  if (idleMs > idleTimeoutMs) return `no byte moved for ${Math.round(idleMs)} ms`;
  return rate !== undefined && rate < minRateBytes
    ? `${Math.round(rate)} bytes a second are below the minimum of ${minRateBytes}`
    : undefined;
}
