/** Limits of the engine's interface that callers must obey. */

/** A key has 1 to 255 bytes: the documented limit is below 256 (docs/engine-facts.md §4). */
export const MAX_KEY_BYTES = 255;

/** Keys in one engine call; more are −3000 (docs/engine-facts.md §6). */
export const MAX_BATCH_KEYS = 16_384;

/**
 * Replicas that an object may have, and preferred services that a put may name
 * (docs/engine-facts.md §1).
 */
export const MAX_REPLICAS = 8;

/**
 * The engine works with 30 callers and fails from 32 (docs/engine-facts.md §8). The call of the first
 * probe is added.
 */
export const MAX_CALL_SLOTS = 30;

/** The most probes in flight: a probe that hangs may do so for a minute after the engine has recovered. */
const MAX_PROBES = 7;

/** Calls in flight besides the call slots, limited so that the engine never gets too many. */
export interface SpareCalls {
  /** Probes: 1 to 7. */
  readonly probes: number;
  /** Calls that replace late ones after a successful probe: 0 or more. */
  readonly substitutes: number;
}

/** @param callSlots 1 to MAX_CALL_SLOTS. */
export function spareCalls(callSlots: number): SpareCalls {
  const room = MAX_CALL_SLOTS - callSlots;
  const probes = Math.min(MAX_PROBES, 1 + Math.floor(room / 2));
  return { probes, substitutes: Math.min(callSlots, room - (probes - 1)) };
}

/** The most calls in flight, whatever hangs: at most 31. */
export function maxCalls(callSlots: number): number {
  const { probes, substitutes } = spareCalls(callSlots);
  return callSlots + probes + substitutes;
}

/** Threads for other work: files and DNS. */
const SPARE_THREADS = 3;

/** The libuv threads that a process with this many call slots needs. */
export const threadsFor = (callSlots: number): number => maxCalls(callSlots) + SPARE_THREADS;

/** As many as the gateway has by default. */
const MOST_DEFAULT_SLOTS = 16;
/** Slots of a program that has too few threads even for these: it runs, with a warning. */
const LEAST_DEFAULT_SLOTS = 2;

/** The most call slots for which this many libuv threads are enough: 2 to 16. */
export function callSlotsFor(threads: number): number {
  let slots = MOST_DEFAULT_SLOTS;
  while (slots > LEAST_DEFAULT_SLOTS && threadsFor(slots) > threads) slots -= 1;
  return slots;
}

/** Largest block that the reserve of the arena serves, and that does not count against its peer's share. */
export const SMALL_BLOCK_BYTES = 64 * 1024;
