/** Limits of the engine's interface that those above it must hold as well. */

/** A key has 1 to 255 bytes: the documented limit is below 256 (engine.md §2). */
export const MAX_KEY_BYTES = 255;

/** Replicas that an object may have, and preferred services that a put may name (engine.md §1). */
export const MAX_REPLICAS = 8;

/** The engine was clean with 30 callers and breaks from 32 (engine.md §2); the first probe's call comes on top. */
export const MAX_CALL_SLOTS = 30;

/** Probes that may be out at a time: one that hangs may do so for a minute after the engine has recovered. */
const MAX_PROBES = 7;

/** Who may have a call under way besides the call slots, which leave the engine room for so many more. */
export interface SpareCalls {
  /** Probes: 1 to 7. */
  readonly probes: number;
  /** Calls in the place of late ones, once a probe has shown that the engine answers: 0 or more. */
  readonly substitutes: number;
}

/** @param callSlots 1 to MAX_CALL_SLOTS. */
export function spareCalls(callSlots: number): SpareCalls {
  const room = MAX_CALL_SLOTS - callSlots;
  const probes = Math.min(MAX_PROBES, 1 + Math.floor(room / 2));
  return { probes, substitutes: Math.min(callSlots, room - (probes - 1)) };
}

/** Calls that may be under way at a time, whatever hangs: at most 31. */
export function mostCalls(callSlots: number): number {
  const { probes, substitutes } = spareCalls(callSlots);
  return callSlots + probes + substitutes;
}

/** Besides those of engine calls: files and DNS (design.md §4). */
const SPARE_THREADS = 3;

/** libuv threads of a worker. */
export const threadsFor = (callSlots: number): number => mostCalls(callSlots) + SPARE_THREADS;

/** Largest block that the arena's reserve serves, and that never counts against its peer's share. */
export const SMALL_BLOCK_BYTES = 64 * 1024;
