/** Detects a debugger that may have stopped a worker: such a worker is silent but not dead. */
import { readFileSync } from 'node:fs';

/** Whether a native debugger or strace is attached, from the kernel's TracerPid; false if unknown. */
export function isTraced(pid: number): boolean {
  try {
    return /^TracerPid:\s+[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Whether Node was started with its inspector, which may stop the program at once. */
export function startsInspected(execArgv: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(' ')].some((word) =>
    word.startsWith('--inspect'),
  );
}
