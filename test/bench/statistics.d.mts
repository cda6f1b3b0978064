export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Comparison {
  readonly ratio: number;
  readonly interval: Interval | undefined;
  readonly passed: boolean | undefined;
  readonly tree: number;
  readonly commit: number;
}

export const MIN_PAIRS: number;
export function median(numbers: readonly number[]): number;
export function medianInterval(numbers: readonly number[]): Interval | undefined;
export function compareRates(
  treeRates: readonly number[],
  commitRates: readonly number[],
  least: number,
): Comparison;
