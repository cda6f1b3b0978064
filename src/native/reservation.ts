import { hasSymbol, intFunction, loadLibrary } from './abi.ts';

/**
 * Gives back the address range that the preloaded shim keeps free for the engine (engine.md §1); to
 * be called immediately before mmc_init. Without the shim it does nothing.
 *
 * @returns why the range was not kept free although that was asked for.
 */
export function releaseReservation(): string | undefined {
  const program = loadLibrary(null);
  if (!hasSymbol(program, 'mcg_reserve_release')) {
    // The shim takes its variable out of the environment: here nobody has.
    return process.env['MCG_RESERVE_BYTES'] === undefined ? undefined : NOT_PRELOADED;
  }
  const reserved = intFunction(program, 'mcg_reserve_state')() >= 0;
  intFunction(program, 'mcg_reserve_release')();
  return reserved ? undefined : 'it was not free, or above a limit (ulimit -v)';
}

const NOT_PRELOADED =
  'libmcg_reserve.so was not preloaded (LD_PRELOAD takes no path with a blank or a colon, and no library for another libc)';
