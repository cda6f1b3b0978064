import { getSystemErrorName } from 'node:util';
import { type Address, loadLibrary } from '../../os/libc.ts';
import { type RegionFunctions, regionFunctions } from '../abi/region-functions.ts';
import { callNative } from '../calls/call-native.ts';
import { regionsLibraryPath } from '../start/built-libraries.ts';

/** Memory of a client that could not be mapped. */
export class RegionError extends Error {
  override readonly name = 'RegionError';
}

/** A piece of a file in memory. */
export interface Mapping {
  readonly address: Address;
  /** Its number in the table of the signal handler. */
  readonly slot: number;
}

/** The library that maps memory of clients and survives that they truncate it (native-helpers/regions). */
export class RegionLibrary {
  readonly #functions: RegionFunctions;

  private constructor(functions: RegionFunctions) {
    this.#functions = functions;
  }

  /**
   * Installs the handler of SIGBUS, and checks on a thread of libuv's pool that a fault would reach it.
   * @throws Error where shared memory would endanger the process
   */
  static async open(): Promise<RegionLibrary> {
    const functions = regionFunctions(loadLibrary(regionsLibraryPath));
    const library = new RegionLibrary(functions);
    requireSuccess('install a handler of SIGBUS', functions.mcg_regions_install());
    requireSuccess(
      'handle SIGBUS in the threads of engine calls',
      await callNative(functions.mcg_regions_check, []),
    );
    return library;
  }

  /**
   * Maps `bytes` bytes from `offset` on. The descriptor may be closed afterwards.
   * @throws RegionError when the kernel refuses, or another library has replaced the handler of SIGBUS
   */
  map(descriptor: number, offset: number, bytes: number): Mapping {
    const functions = this.#functions;
    requireSuccess('handle SIGBUS', functions.mcg_regions_check());
    const address = Buffer.alloc(8);
    const slot = functions.mcg_region_map(descriptor, offset, bytes, address);
    requireSuccess(`map ${bytes} bytes`, Math.min(slot, 0));
    return { address: Number(address.readBigUInt64LE()) as Address, slot };
  }

  /** Whether a page was missing when a thread used it. */
  isBroken({ slot }: Mapping): boolean {
    return this.#functions.mcg_region_broken(slot) === 1;
  }

  /** No thread may use the memory any more. */
  unmap({ slot }: Mapping): void {
    requireSuccess('unmap memory', this.#functions.mcg_region_unmap(slot));
  }

  /** Regions that are mapped now. */
  get count(): number {
    return this.#functions.mcg_regions_count();
  }

  /** Copies pieces of memory on libuv's pool; `pieces` is an array of struct mcg_piece. */
  async copy(pieces: Buffer, count: number): Promise<void> {
    await callNative(this.#functions.mcg_regions_copy, [pieces, count]);
    // koffi does not keep the pieces alive: this use of them does.
    if (pieces.length === 0) throw new RangeError('a copy of nothing');
  }
}

function requireSuccess(what: string, code: number): void {
  if (code < 0) throw new RegionError(`cannot ${what}: ${getSystemErrorName(code)}`);
}
