/**
 * Loads on first use what `load` gives, once for all who ask. A failure is told to those who have
 * asked and then forgotten: the next one to ask tries again.
 */
export function lazy<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}
