/** The command's own lines, between those of the service: JSON for machines, or text. */
import tty from 'node:tty';
import type { MetaSettings } from './command-line.ts';

export interface Announcer {
  ready(facts: Readonly<Record<string, string | number>>, text: string): void;
  warn(text: string): void;
}

const stdout = 1;

/** A reader that ends (`| head`) must not end the command: the service would keep running without it. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

/** Readiness goes to stdout; a warning too as JSON, where a collector reads it, else to stderr. */
export function createAnnouncer(format: MetaSettings['logFormat']): Announcer {
  const json = format === 'json' || (format === 'auto' && !tty.isatty(stdout));
  const line = (level: string, members: object, msg: string) => {
    const time = new Date().toISOString();
    const entry = { level, time, pid: process.pid, ...members, msg };
    process.stdout.write(`${JSON.stringify(entry)}\n`);
  };
  return {
    ready(facts, text) {
      if (json) line('info', facts, 'ready');
      else process.stdout.write(`${text}\n`);
    },
    warn(text) {
      if (json) line('warn', {}, text);
      else process.stderr.write(`warning: ${text}\n`);
    },
  };
}
