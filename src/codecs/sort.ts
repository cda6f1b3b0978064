import type { TimeSlices } from './time-slices.ts';

/** Items that are sorted at once: about two milliseconds. */
const RUN_LENGTH = 4096;

/** A sorted copy; the event loop serves other requests between two steps. */
export async function sortedInSlices<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  slices: TimeSlices,
): Promise<Item[]> {
  let from: Item[] = [];
  for (let at = 0; at < items.length; at += RUN_LENGTH) {
    for (const item of items.slice(at, at + RUN_LENGTH).sort(compare)) from.push(item);
    await slices.pause();
  }
  for (let run = RUN_LENGTH; run < from.length; run *= 2) {
    const to: Item[] = [];
    for (let start = 0; start < from.length; start += 2 * run) {
      const middle = Math.min(start + run, from.length);
      const end = Math.min(middle + run, from.length);
      let left = start;
      let right = middle;
      while (left < middle || right < end) {
        const isLeft =
          right >= end || (left < middle && compare(from[left] as Item, from[right] as Item) <= 0);
        to.push(from[isLeft ? left++ : right++] as Item);
        if (to.length % RUN_LENGTH === 0) await slices.pause();
      }
    }
    from = to;
  }
  return from;
}
