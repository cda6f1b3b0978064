import type { NativeFunction } from '../abi/abi.ts';

/** Makes an asynchronous call on libuv's pool. Its arguments must be in memory that outlives the call. */
export function callNative<Arguments extends readonly unknown[]>(
  nativeFunction: NativeFunction<Arguments>,
  args: Arguments,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // koffi refuses some calls with an exception, which a promise turns into a rejection.
    nativeFunction.async(...args, (error, code) => {
      if (error instanceof Error) reject(error);
      else resolve(code);
    });
  });
}
