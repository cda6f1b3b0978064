import { setTimeout as elapse } from 'node:timers/promises';

/** Waits for a condition, not for a time; rejects after `deadlineMs` with what was waited for. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { deadlineMs = 10_000, what = condition.toString() }: { deadlineMs?: number; what?: string } = {},
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await elapse(2);
  }
}
