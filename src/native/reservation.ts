import { hasSymbol, intFunction, loadLibrary } from './abi.ts';

/**
 * Gives back the address range that the preloaded shim keeps free for the engine (engine.md §1); to
 * be called immediately before mmc_init. Without the shim it does nothing.
 *
 * @returns false when a shim was preloaded but could not reserve the range.
 */
export function releaseReservation(): boolean {
  const process = loadLibrary(null);
  if (!hasSymbol(process, 'mcg_reserve_release')) return true;
  const reserved = intFunction(process, 'mcg_reserve_state')() >= 0;
  intFunction(process, 'mcg_reserve_release')();
  return reserved;
}
