import { readFileSync } from 'node:fs';

/** Private memory of a process, in bytes. */
export function anonymousBytes(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
