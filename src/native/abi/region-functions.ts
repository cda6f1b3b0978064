import type { LibraryHandle, NativeFunction } from './abi.ts';

/** The functions of libmcg_regions.so (native-helpers/regions/regions.h). */
export interface RegionFunctions {
  mcg_regions_install: NativeFunction<[]>;
  mcg_regions_check: NativeFunction<[]>;
  mcg_regions_count: NativeFunction<[]>;
  mcg_region_map: NativeFunction<
    [descriptor: number, offset: number, bytes: number, address: Buffer]
  >;
  mcg_region_broken: NativeFunction<[region: number]>;
  mcg_region_unmap: NativeFunction<[region: number]>;
  mcg_regions_copy: NativeFunction<[pieces: Buffer, count: number]>;
}

export function regionFunctions(library: LibraryHandle): RegionFunctions {
  const find = <Name extends keyof RegionFunctions>(name: Name, args: string[] = []) =>
    library.func(name, 'int', args) as RegionFunctions[Name];
  return {
    mcg_regions_install: find('mcg_regions_install'),
    mcg_regions_check: find('mcg_regions_check'),
    mcg_regions_count: find('mcg_regions_count'),
    mcg_region_map: find('mcg_region_map', [
      'int', // int descriptor
      'uint64_t', // uint64_t offset
      'uint64_t', // uint64_t bytes
      'void *', // uint64_t *address
    ]),
    mcg_region_broken: find('mcg_region_broken', ['int']),
    mcg_region_unmap: find('mcg_region_unmap', ['int']),
    mcg_regions_copy: find('mcg_regions_copy', [
      'void *', // const struct mcg_piece *pieces
      'uint64_t', // uint64_t count
    ]),
  };
}
