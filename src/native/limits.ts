/** Limits of the engine's interface that those above it must hold as well. */

/** A key has 1 to 255 bytes: the documented limit is below 256 (engine.md §2). */
export const MAX_KEY_BYTES = 255;

/** Replicas that an object may have, and preferred services that a put may name (engine.md §1). */
export const MAX_REPLICAS = 8;

/** The engine was clean with 30 callers and breaks from 32 (engine.md §2); the probe's call comes on top. */
export const MAX_CALL_SLOTS = 30;
