import { libc } from './libc.ts';

/**
 * Ends the process at once, without exit handlers. `process.exit` would wait for stuck calls on libuv's
 * pool, and the engine's own exit handlers abort (docs/engine-facts.md §3).
 */
export function exitNow(code: number): never {
  return libc()._exit(code);
}
