import type { EngineOptions } from './engine-client.ts';

/** All but the device, which `init` takes; every one has a default. */
export type StoreOptions = Partial<Omit<EngineOptions, 'device'>>;

const DEFAULT_ARENA_BYTES = 256 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 10_000;
const MAX_DEFAULT_SLOTS = 16;

/**
 * Defaults for a program of its own: the engine that GATEWAY_ENGINE names, and as many calls at a
 * time as libuv's pool has threads for, two left for files and names. An empty variable counts as
 * absent, as in the gateway.
 */
export function resolveStoreOptions(options: StoreOptions): Omit<EngineOptions, 'device'> {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) || 4;
  return {
    engine: process.env['GATEWAY_ENGINE'] || 'embedded',
    preload: process.env['GATEWAY_ENGINE_PRELOAD'] || undefined,
    arenaBytes: DEFAULT_ARENA_BYTES,
    callSlots: Math.min(MAX_DEFAULT_SLOTS, Math.max(1, threads - 2)),
    deadlineMs: DEFAULT_DEADLINE_MS,
    ...options,
  };
}
