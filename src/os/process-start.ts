/** Whether a process still runs, without a signal to it. */
import { readFileSync } from 'node:fs';

/**
 * When a process started, in ticks since the start of the machine: tells it from a later process with the
 * same number. Undefined for a process that has ended, also for one whose parent has not noticed yet.
 */
export function processStart(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name, in parentheses, may contain any bytes.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0] ?? 'X', fields[19]];
  return state === 'Z' || state === 'X' || state === 'x' ? undefined : start;
}
