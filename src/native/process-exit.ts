import { libc } from './abi.ts';

/**
 * Ends the process at once, without exit handlers: `process.exit` waits for calls that are stuck on
 * libuv's pool, and the engine's own exit handlers abort (engine.md §1, design.md §4).
 */
export function exitNow(code: number): never {
  return libc()._exit(code);
}
