/**
 * The functions of libc that the gateway calls through koffi. `any` is allowed here because koffi
 * returns untyped functions.
 */
import koffi, { type LibraryHandle } from 'koffi';

/** A user-space address as a number; zero is never one. */
export type Address = number & { readonly __address: unique symbol };

const pointer = 'uintptr_t';

let configured = false;

/**
 * Loads a shared library; null means everything that the process has loaded (libc, a preloaded library).
 * Throws koffi's Error, whose message contains that of dlopen.
 */
export function loadLibrary(
  path: string | null,
  options: { global?: boolean } = {},
): LibraryHandle {
  if (!configured) {
    // Only before the first load. The engine's stack use is unknown; a C thread gets at least 1 MiB. A
    // pool of this size stays resident for each call that can be in flight.
    koffi.config({
      async_stack_size: 1 << 20,
      resident_async_pools: 32,
      max_async_calls: 256,
    });
    configured = true;
  }
  return koffi.load(path, options);
}

/** The required functions of libc; glibc and musl export them, through the symbols of the process. */
export interface Libc {
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    descriptor: number,
    offset: number,
  ): number | bigint;
  madvise(address: Address, length: number, advice: number): number;
  ioctl(descriptor: number, request: number, answer: Buffer): number;
  poll(descriptors: Buffer, count: number, timeoutMs: number): number;
  socketpair(domain: number, type: number, protocol: number, descriptors: Int32Array): number;
  fcntl(descriptor: number, command: number, argument: number): number;
  shutdown(descriptor: number, how: number): number;
  getsockopt(
    descriptor: number,
    level: number,
    option: number,
    value: Buffer,
    length: Uint32Array,
  ): number;
  flock(descriptor: number, operation: number): number;
  sendmsg(descriptor: number, message: number, flags: number): number;
  _exit(code: number): never;
}

let libcFunctions: Libc | undefined;

export function libc(): Libc {
  if (libcFunctions === undefined) {
    const library = loadLibrary(null);
    libcFunctions = {
      mmap: library.func('mmap', pointer, [
        pointer,
        'size_t',
        'int',
        'int',
        'int',
        'int64_t',
      ]) as any,
      madvise: library.func('madvise', 'int', [pointer, 'size_t', 'int']) as any,
      // Variadic in C; the supported systems pass the third argument in the same way.
      ioctl: library.func('ioctl', 'int', ['int', 'ulong', 'void *']) as any,
      poll: library.func('poll', 'int', ['void *', 'ulong', 'int']) as any,
      socketpair: library.func('socketpair', 'int', ['int', 'int', 'int', 'void *']) as any,
      // Variadic in C, like ioctl.
      fcntl: library.func('fcntl', 'int', ['int', 'int', 'long']) as any,
      shutdown: library.func('shutdown', 'int', ['int', 'int']) as any,
      getsockopt: library.func('getsockopt', 'int', [
        'int',
        'int',
        'int',
        'void *',
        'void *',
      ]) as any,
      flock: library.func('flock', 'int', ['int', 'int']) as any,
      sendmsg: library.func('sendmsg', 'int64_t', ['int', pointer, 'int']) as any,
      _exit: library.func('_exit', 'void', ['int']) as any,
    };
  }
  return libcFunctions;
}

/** The errno of the last libc call. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The address of bytes. Materialises the ArrayBuffer first; otherwise V8 may move it. */
export function addressOf(bytes: Uint8Array): Address {
  if (bytes.buffer.byteLength === 0) throw new RangeError('an empty buffer has no address');
  return Number(koffi.address(bytes)) as Address;
}
