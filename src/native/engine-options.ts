import type { EngineLoadError } from './abi/errors.ts';
import { MAX_CALL_SLOTS } from './abi/limits.ts';

export interface EngineOptions {
  /** `embedded`, or the path of a library with the same ABI. */
  engine: string;
  /** 0…383. */
  device: number;
  arenaBytes: number;
  /** Bytes of the arena that one peer may hold in large blocks while others wait; a quarter by default. */
  peerBytes?: number | undefined;
  /** Map a reserve for small blocks beside the arena: a sixteenth of it, at most 64 MiB. */
  smallReserve?: boolean;
  /**
   * Calls in flight, 1…30; the engine breaks from 32 (docs/engine-facts.md §8). Probes and
   * calls that replace late ones use the rest (limits.ts).
   */
  callSlots: number;
  /** For each call, its wait for a slot included. */
  deadlineMs: number;
  /** For everything before the first call of a slot: initialisation, its repetitions, the arena. */
  initDeadlineMs?: number | undefined;
  /**
   * A read that takes longer is not trusted, 1…3,600,000; less than the read lease of the pool, which
   * is 2 s unless the meta service's configuration says otherwise. Default 1500.
   */
  slowReadMs?: number | undefined;
  /** libpython to load before the engine; searched when absent. */
  preload?: string | undefined;
  /** Poison freed blocks; GATEWAY_DEBUG_ARENA=1 does it too. */
  debugArena?: boolean;
  onWarning?: (text: string) => void;
  /**
   * Called once, within 300 ms, when the engine has left its pool because another program destroyed
   * it. Every call then returns MMC_CLIENT_NOT_INIT: close the client, and open another.
   */
  onPoolLost?: ((error: EngineLoadError) => void) | undefined;
}

const MAX_DEVICE = 383;
const MAX_SLOW_READ_MS = 3_600_000;
const MIN_ARENA_BYTES = 4096;
const MAX_ARENA_BYTES = 2 ** 40;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws RangeError for an option out of its range. */
export function checkOptions(options: EngineOptions): void {
  const { device, arenaBytes, callSlots, deadlineMs, initDeadlineMs, slowReadMs } = options;
  checkInteger('device', device, 0, MAX_DEVICE);
  checkInteger('arenaBytes', arenaBytes, MIN_ARENA_BYTES, MAX_ARENA_BYTES);
  checkInteger('callSlots', callSlots, 1, MAX_CALL_SLOTS);
  checkInteger('deadlineMs', deadlineMs, 1, MAX_TIMER_MS);
  checkInteger('initDeadlineMs', initDeadlineMs ?? 1, 1, MAX_TIMER_MS);
  checkInteger('slowReadMs', slowReadMs ?? 1, 1, MAX_SLOW_READ_MS);
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} is ${value}: must be a whole number from ${least} to ${most}`);
}
