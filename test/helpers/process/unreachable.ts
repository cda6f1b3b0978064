/** Downloads that only the matrix needs. */
import type { TestContext } from 'node:test';

/** Undefined if the registry cannot be reached, which skips the test. */
export function fetchOrSkip<T>(t: TestContext, what: string, download: () => T): T | undefined {
  try {
    return download();
  } catch (error) {
    if (!(error instanceof Error && 'isUnreachable' in error && error.isUnreachable === true)) {
      throw error;
    }
    t.skip(`the npm registry cannot be reached, so ${what} was not fetched`);
    return undefined;
  }
}
