/**
 * File descriptors against their limit (`ulimit -n`). Below its need the gateway refuses to start: a
 * process that runs out of descriptors while it loads its modules may hang instead of failing.
 */
import { readFileSync } from 'node:fs';

/** Open in a supervisor without workers, its modules and its log included (measured: 20), with a margin. */
const SUPERVISOR_DESCRIPTORS = 30;
/** Per worker in the supervisor: its two pipes and its channel, with one that is being replaced. */
const DESCRIPTORS_PER_WORKER = 4;
/** Open in a worker without connections (measured: 22), with a margin for files that it loads. */
const WORKER_DESCRIPTORS = 32;
/** Modules that a starting process may read at once, since Node opens a level of imports together. */
const LOADING_DESCRIPTORS = 128;
/** A gateway that can serve fewer connections at a time is of no use. */
const MIN_CONNECTIONS = 8;

/** What every process needs while it starts, whatever is configured. */
export const MIN_DESCRIPTORS = WORKER_DESCRIPTORS + LOADING_DESCRIPTORS;

const LIMITS_FILE = '/proc/self/limits';

/**
 * How many descriptors this process, and each that it starts, may have open. Node raises its soft limit
 * to the hard one. Undefined where the limit cannot be read.
 */
export function descriptorLimit(file = LIMITS_FILE): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const soft = /^Max open files +(\S+)/m.exec(text)?.[1];
  if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
  const limit = Number(soft);
  return Number.isInteger(limit) ? limit : undefined;
}

export interface DescriptorUse {
  readonly workers: number;
  readonly listeners: number;
}

/** Descriptors that the process with the most of them needs. */
export function neededDescriptors({ workers, listeners }: DescriptorUse): number {
  const supervisor =
    SUPERVISOR_DESCRIPTORS + DESCRIPTORS_PER_WORKER * workers + listeners + MIN_CONNECTIONS;
  return Math.max(supervisor, MIN_DESCRIPTORS);
}

/** Connections that all workers together can serve at a time. */
export const servableConnections = (limit: number, workers: number): number =>
  workers * (limit - WORKER_DESCRIPTORS);

/** The limit of open files, and the connections that all workers together can serve within it. */
export interface DescriptorLimit {
  readonly openFiles: number;
  readonly maxConnections: number;
}

/** Why the gateway cannot start within the limit, and what to do. */
export const tooFewDescriptors = (limit: number, needed: number): string =>
  `the limit of open files is ${limit} (ulimit -n), and the gateway needs at least ${needed}; raise it with ulimit -n, LimitNOFILE= of systemd or --ulimit nofile= of docker. A connection takes one more each.`;
