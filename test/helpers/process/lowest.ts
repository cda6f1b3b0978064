/**
 * Measures until a round is below `limit`, at most `rounds` times, and returns the lowest figure: other
 * programs on the machine make single rounds longer, and none shorter.
 */
export async function lowestOf(
  rounds: number,
  limit: number,
  measure: () => Promise<number>,
): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && lowest >= limit; round += 1) {
    lowest = Math.min(lowest, await measure());
  }
  return lowest;
}
