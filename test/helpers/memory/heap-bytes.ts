import v8 from 'node:v8';
import vm from 'node:vm';

let collect: (() => void) | undefined;

/** Returns the bytes of live objects, on the heap and in buffers outside it. */
function liveBytes(): number {
  if (collect === undefined) {
    v8.setFlagsFromString('--expose-gc');
    collect = vm.runInNewContext('gc') as () => void;
  }
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Returns the bytes of memory for each of `count` items that `make` returns and keeps alive. */
export async function bytesPerItem(
  count: number,
  make: (count: number) => unknown,
): Promise<number> {
  // The first call compiles code and fills caches, which later calls share.
  await make(64);
  const before = liveBytes();
  const kept = await make(count);
  const after = liveBytes();
  // Keeps the object alive until here.
  if (kept === undefined) throw new Error('there is nothing to measure');
  return (after - before) / count;
}
