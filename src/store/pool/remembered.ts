/**
 * The same function, called at most once in `freshMs`: further calls get the same result, also a failure.
 * Calls while it runs wait for it.
 */
export function remembered<T>(freshMs: number, load: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  let until = 0;
  return () => {
    if (last === undefined || performance.now() >= until) {
      until = Number.POSITIVE_INFINITY;
      last = load().finally(() => {
        until = performance.now() + freshMs;
      });
    }
    return last;
  };
}
