/** The limits of the test matrix: one for each entry, and one for all together. */
export const TOTAL_MINUTES = 20;
const MINUTE_MS = 60_000;
/** If less of the total is left, an entry is not started. */
const LEAST_MS = MINUTE_MS / 4;

/** The time by which all entries must have ended, in milliseconds of `Date.now()`. */
export const totalEndMs = (nowMs) => nowMs + TOTAL_MINUTES * MINUTE_MS;

/**
 * How long an entry may run, in milliseconds, and the fault to report if it does not end by then. Throws
 * if too little of the total is left.
 */
export function limitOf(minutes, leftMs) {
  if (leftMs < LEAST_MS) {
    throw new Error(
      `not started: the ${TOTAL_MINUTES} minutes for all entries are used up; run it alone with its name`,
    );
  }
  const ownMs = minutes * MINUTE_MS;
  if (ownMs <= leftMs) {
    return {
      deadlineMs: ownMs,
      fault: `it did not end within its own limit of ${minutes} minutes`,
    };
  }
  const seconds = Math.round(leftMs / 1000);
  return {
    deadlineMs: leftMs,
    fault: `it had the last ${seconds} s of the ${TOTAL_MINUTES} minutes for all entries, less than its own limit of ${minutes} minutes, and did not end; run it alone with its name`,
  };
}
