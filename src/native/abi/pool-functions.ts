import type { Address } from '../../os/libc.ts';
import { hasSymbol, type LibraryHandle, type NativeFunction } from './abi.ts';

/** The functions of the embedded engine that report what the pool holds (mmc_abi.h). */
export interface PoolFunctions {
  /** Reads counters and takes no lock, so it may be called on the JavaScript thread. */
  readonly stats: (stats: Address) => number;
  readonly list: NativeFunction<[prefix: Address, after: Address, page: Address]>;
}

/** Undefined if the engine does not have both. */
export function poolFunctions(library: LibraryHandle): PoolFunctions | undefined {
  const names = ['mmc_embedded_stats', 'mmc_embedded_list'];
  if (!names.every((name) => hasSymbol(library, name))) return undefined;
  return {
    stats: library.func('mmc_embedded_stats', 'int32_t', [
      'uintptr_t', // mmc_embedded_pool_stats *stats
    ]) as PoolFunctions['stats'],
    list: library.func('mmc_embedded_list', 'int32_t', [
      'uintptr_t', // const char *prefix
      'uintptr_t', // const char *after
      'uintptr_t', // mmc_embedded_key_page *page
    ]) as PoolFunctions['list'],
  };
}
