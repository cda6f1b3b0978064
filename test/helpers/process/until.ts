import { setTimeout as elapse } from 'node:timers/promises';

/** Waits for a condition, not for a time; rejects after `deadlineMs` with the name of the condition. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { deadlineMs = 30_000, what = condition.toString() }: { deadlineMs?: number; what?: string } = {},
): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    const elapsedMs = performance.now() - start;
    if (elapsedMs > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    // A long wait checks less often: most conditions are an HTTP request, which takes processor time.
    await elapse(Math.min(50, Math.max(2, elapsedMs / 20)));
  }
}
