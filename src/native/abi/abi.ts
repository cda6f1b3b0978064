/**
 * The engine's functions through koffi. Only this module and os/libc.ts may use `any`; everything that
 * they return is typed. Pointers are declared `uintptr_t` and passed as numbers (user addresses are
 * below 2^48). A call with numbers takes 47 ns, with Buffers 76 ns (test/bench/native.ts). Arguments
 * in mapped memory cannot be collected while an asynchronous call uses them.
 */
import koffi, { type LibraryHandle } from 'koffi';
import type { Address } from '../../os/libc.ts';

/** One function of the engine: called synchronously, or on libuv's pool with a callback. */
export interface NativeFunction<Arguments extends readonly unknown[]> {
  (...args: Arguments): number;
  async(...args: [...Arguments, callback: (error: Error | null, code: number) => void]): void;
}

/** `mmc_put_options` by value: eleven words, so that koffi copies one array without conversion. */
export interface PutOptionsValue {
  readonly words: Uint32Array;
}

const putOptions = koffi.struct({ words: koffi.array('uint32_t', 11, 'Typed') });

const pointer = 'uintptr_t';

/** Result and arguments of each symbol with their C declarations (docs/engine-facts.md §1). */
const symbols = {
  mmc_init: [
    'int32_t',
    [
      pointer, // const mmc_init_config *config
    ],
  ],
  mmc_uninit: ['void', []],
  mmc_set_log_level: [
    'int32_t',
    [
      'int', // int level
    ],
  ],
  mmcc_register_buffer: [
    'int32_t',
    [
      'uint64_t', // uint64_t addr
      'uint64_t', // uint64_t size
    ],
  ],
  mmcc_unregister_buffer: [
    'int32_t',
    [
      'uint64_t', // uint64_t addr
      'uint64_t', // uint64_t size
    ],
  ],
  mmcc_local_service_id: [
    'int32_t',
    [
      pointer, // uint32_t *id
    ],
  ],
  mmcc_put: [
    'int32_t',
    [
      pointer, // const char *key
      pointer, // mmc_buffer *buffer
      putOptions, // mmc_put_options options, by value
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_get: [
    'int32_t',
    [
      pointer, // const char *key
      pointer, // mmc_buffer *buffer
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_query: [
    'int32_t',
    [
      pointer, // const char *key
      pointer, // mmc_data_info *info
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_exist: [
    'int32_t',
    [
      pointer, // const char *key
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_remove: [
    'int32_t',
    [
      pointer, // const char *key
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_batch_put: [
    'int32_t',
    [
      pointer, // const char **keys
      'uint32_t', // uint32_t count
      pointer, // const mmc_buffer *buffers
      pointer, // mmc_put_options *options, one for all
      'uint32_t', // uint32_t flags
      pointer, // int32_t *results
    ],
  ],
  mmcc_batch_get: [
    'int32_t',
    [
      pointer, // const char **keys
      'uint32_t', // uint32_t count
      pointer, // mmc_buffer *buffers
      'uint32_t', // uint32_t flags
      pointer, // int32_t *results
    ],
  ],
  mmcc_batch_query: [
    'int32_t',
    [
      pointer, // const char **keys
      'size_t', // size_t count
      pointer, // mmc_data_info *infos
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_batch_exist: [
    'int32_t',
    [
      pointer, // const char **keys
      'uint32_t', // uint32_t count
      pointer, // int32_t *results
      'uint32_t', // uint32_t flags
    ],
  ],
  mmcc_batch_remove: [
    'int32_t',
    [
      pointer, // const char **keys
      'uint32_t', // uint32_t count
      pointer, // int32_t *results
      'uint32_t', // uint32_t flags
    ],
  ],
} as const;

export type EngineSymbol = keyof typeof symbols;

type Word = number;

/** The engine's functions, after every symbol has been found. */
export interface EngineFunctions {
  mmc_init: NativeFunction<[config: Address]>;
  mmc_uninit: NativeFunction<[]>;
  mmc_set_log_level: NativeFunction<[level: number]>;
  mmcc_register_buffer: NativeFunction<[address: Address, size: number]>;
  mmcc_unregister_buffer: NativeFunction<[address: Address, size: number]>;
  mmcc_local_service_id: NativeFunction<[id: Address]>;
  mmcc_put: NativeFunction<[Address, Address, PutOptionsValue, flags: Word]>;
  mmcc_get: NativeFunction<[key: Address, buffer: Address, flags: Word]>;
  mmcc_query: NativeFunction<[key: Address, info: Address, flags: Word]>;
  mmcc_exist: NativeFunction<[key: Address, flags: Word]>;
  mmcc_remove: NativeFunction<[key: Address, flags: Word]>;
  mmcc_batch_put: NativeFunction<[Address, Word, Address, Address, flags: Word, results: Address]>;
  mmcc_batch_get: NativeFunction<[Address, Word, Address, flags: Word, results: Address]>;
  mmcc_batch_query: NativeFunction<[keys: Address, Word, infos: Address, flags: Word]>;
  mmcc_batch_exist: NativeFunction<[keys: Address, Word, results: Address, flags: Word]>;
  mmcc_batch_remove: NativeFunction<[keys: Address, Word, results: Address, flags: Word]>;
}

export type { LibraryHandle };

export function hasSymbol(library: LibraryHandle, name: string): boolean {
  try {
    library.symbol(name);
    return true;
  } catch {
    return false;
  }
}

export const engineSymbols = Object.keys(symbols) as readonly EngineSymbol[];

/** The names of the symbols that a library lacks. */
export function missingSymbols(library: LibraryHandle): EngineSymbol[] {
  return engineSymbols.filter((name) => !hasSymbol(library, name));
}

/** Every function of the engine. Call it only when `missingSymbols` is empty. */
export function engineFunctions(library: LibraryHandle): EngineFunctions {
  const functions: Record<string, any> = {};
  for (const [name, [result, args]] of Object.entries(symbols)) {
    functions[name] = library.func(name, result, [...args]);
  }
  return functions as unknown as EngineFunctions;
}

/** An optional function of the embedded engine that returns an int; undefined if it is missing. */
export function optionalFunction(
  library: LibraryHandle,
  name: string,
  args: string[],
): ((...args: number[]) => number) | undefined {
  return hasSymbol(library, name) ? library.func(name, 'int', args) : undefined;
}

/** An optional function of the embedded engine that copies a text into a buffer of the given size. */
export function textFunction(library: LibraryHandle, name: string): (() => string) | undefined {
  if (!hasSymbol(library, name)) return undefined;
  const copy = library.func(name, 'int', ['void *', 'uint32_t']) as (
    text: Buffer,
    bytes: number,
  ) => number;
  return () => {
    const text = Buffer.alloc(512);
    copy(text, text.length);
    return text.toString('utf8', 0, text.indexOf(0));
  };
}

/** A function without arguments that returns an int: the optional symbols. */
export function intFunction(library: LibraryHandle, name: string): () => number {
  return library.func(name, 'int', []);
}

/**
 * Native memory as a Buffer, without a copy. At most 4 GiB: koffi aborts the process beyond that
 * (docs/engine-facts.md §10).
 */
export function viewMemory(address: Address, bytes: number): Buffer {
  return Buffer.from(koffi.view(address, bytes));
}
