import { loadLibrary } from '../../os/libc.ts';
import { hasSymbol, intFunction } from '../abi/abi.ts';

/**
 * Releases the address range that the preloaded library has reserved for the engine
 * (docs/engine-facts.md §2). Call it immediately before mmc_init. Without the library it does nothing.
 *
 * @returns the reason if the range was requested and not reserved.
 */
export function releaseReservation(): string | undefined {
  const program = loadLibrary(null);
  if (!hasSymbol(program, 'mcg_reserve_release')) {
    // The preloaded library removes its variable from the environment, so it was not loaded here.
    return process.env['MCG_RESERVE_BYTES'] === undefined ? undefined : NOT_PRELOADED;
  }
  const reserved = intFunction(program, 'mcg_reserve_state')() >= 0;
  intFunction(program, 'mcg_reserve_release')();
  return reserved ? undefined : 'the range was in use, or above a limit (ulimit -v)';
}

const NOT_PRELOADED =
  'libmcg_reserve.so was not preloaded (LD_PRELOAD accepts no path with a blank or a colon, and no library for another libc)';
