// Medians, their confidence intervals, and the comparison of two versions of the gateway.

/** The least confidence of an interval. */
const CONFIDENCE = 0.95;

/** With at least this number of pairs, an interval of the median has that confidence. */
export const MIN_PAIRS = 6;

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (!Number.isInteger(middle)) return sorted[Math.floor(middle)];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The interval of a median by order statistics: the k-th smallest and the k-th largest number, with the
 * largest k that keeps the confidence at 95 % or more. Each number is below the true median with
 * probability 1/2 in any distribution, so the count of those below is binomial. Undefined for fewer
 * than 6 numbers: then even the smallest and the largest have less confidence.
 */
export function medianInterval(numbers) {
  const count = numbers.length;
  const sorted = [...numbers].sort((a, b) => a - b);
  let tail = 0;
  let chance = 0.5 ** count;
  let k = 0;
  while (k < count / 2) {
    tail += chance;
    if (1 - 2 * tail < CONFIDENCE) break;
    chance *= (count - k) / (k + 1);
    k += 1;
  }
  return k === 0 ? undefined : { low: sorted[k - 1], high: sorted[count - k] };
}

/**
 * Compares rates pair by pair: the median ratio of tree to commit, its interval, and whether the row
 * passes. It passes when the median ratio is at least `least` or the interval includes 1; undefined
 * when there are too few pairs for an interval.
 */
export function compareRates(treeRates, commitRates, least) {
  const ratios = treeRates.map((rate, pair) => rate / commitRates[pair]);
  const ratio = median(ratios);
  const interval = medianInterval(ratios);
  const passed = interval && (ratio >= least || (interval.low <= 1 && interval.high >= 1));
  return { ratio, interval, passed, tree: median(treeRates), commit: median(commitRates) };
}
