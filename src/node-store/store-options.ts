import { callSlotsFor } from '../native/abi/limits.ts';
import type { EngineOptions } from '../native/engine-options.ts';

/** All options except the device, which `init` takes, and the share of a client; each has a default. */
export type StoreOptions = Partial<Omit<EngineOptions, 'device' | 'peerBytes'>>;

const names: Readonly<Record<keyof StoreOptions, true>> = {
  engine: true,
  arenaBytes: true,
  smallReserve: true,
  callSlots: true,
  deadlineMs: true,
  initDeadlineMs: true,
  slowReadMs: true,
  preload: true,
  debugArena: true,
  onWarning: true,
  onPoolLost: true,
};
export const storeOptionNames: readonly string[] = Object.keys(names);

const DEFAULT_ARENA_BYTES = 256 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 10_000;

/**
 * Defaults for Node programs: the engine that GATEWAY_ENGINE names, and as many call slots as libuv has
 * threads for. An empty variable counts as absent, as in the gateway.
 */
export function resolveStoreOptions(options: StoreOptions): Omit<EngineOptions, 'device'> {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) || 4;
  return {
    engine: process.env['GATEWAY_ENGINE'] || 'embedded',
    preload: process.env['GATEWAY_ENGINE_PRELOAD'] || undefined,
    arenaBytes: DEFAULT_ARENA_BYTES,
    callSlots: callSlotsFor(threads),
    deadlineMs: DEFAULT_DEADLINE_MS,
    ...options,
  };
}
