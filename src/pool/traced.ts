/** Whether somebody looks into a worker, and stops it for that: then it is not dead, however still. */
import { readFileSync } from 'node:fs';

/** A native debugger, or strace: the kernel names its process. False where the kernel tells nothing. */
export function isTraced(pid: number): boolean {
  try {
    return /^TracerPid:\s+[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Whether Node was told to open its inspector, perhaps to wait for it before anything else. */
export function startsInspected(execArgv: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(' ')].some((word) =>
    word.startsWith('--inspect'),
  );
}
