/**
 * File descriptors and their limit (`ulimit -n`). With fewer than it needs, the gateway does not start:
 * a process that runs out of descriptors while it loads modules may hang instead of failing.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Open in a supervisor without workers and listeners, including modules and log (measured: 18), plus a margin. */
const SUPERVISOR_DESCRIPTORS = 30;
/** Per worker in the supervisor: two pipes and a channel, also for the worker that is being replaced. */
const DESCRIPTORS_PER_WORKER = 4;
/** Open in a worker without connections and listeners (measured: 22), plus a margin for files that it loads. */
const WORKER_DESCRIPTORS = 32;
/** Per listener in each process: one that it keeps, and one on which it accepts. */
const DESCRIPTORS_PER_LISTENER = 2;
/** Modules that a starting process may read at the same time, because Node opens imports in parallel. */
const LOADING_DESCRIPTORS = 128;
/** Fewer connections than this make the gateway useless. */
const MIN_CONNECTIONS = 8;

/** Descriptors that every process needs while it starts, whatever the configuration is. */
export const MIN_DESCRIPTORS = WORKER_DESCRIPTORS + LOADING_DESCRIPTORS;

const LIMITS_FILE = '/proc/self/limits';

/**
 * The number of descriptors that this process and each child process may have open. Node raises its
 * soft limit to the hard limit. Undefined if the limit cannot be read.
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

/** The part of its descriptors that this process has open, from 0 to 1. Undefined if it cannot be read. */
export function descriptorShare(limit = descriptorLimit()): number | undefined {
  if (limit === undefined) return undefined;
  try {
    return readdirSync('/proc/self/fd').length / limit;
  } catch {
    return undefined;
  }
}

export interface DescriptorUse {
  readonly workers: number;
  readonly listeners: number;
}

/** Descriptors of the process that needs the most. */
export function neededDescriptors({ workers, listeners }: DescriptorUse): number {
  const forClients = DESCRIPTORS_PER_LISTENER * listeners + MIN_CONNECTIONS;
  const supervisor = SUPERVISOR_DESCRIPTORS + DESCRIPTORS_PER_WORKER * workers + forClients;
  return Math.max(supervisor, WORKER_DESCRIPTORS + forClients, MIN_DESCRIPTORS);
}

/** Connections that one worker can serve at the same time. */
export const connectionsWithin = (limit: number | undefined, listeners: number): number =>
  (limit ?? Number.POSITIVE_INFINITY) - WORKER_DESCRIPTORS - DESCRIPTORS_PER_LISTENER * listeners;

/** Connections that all workers together can serve at the same time. */
export const servableConnections = (limit: number, { workers, listeners }: DescriptorUse): number =>
  workers * connectionsWithin(limit, listeners);

/** The limit of open files, and the connections that all workers together can serve within it. */
export interface DescriptorLimit {
  readonly openFiles: number;
  readonly maxConnections: number;
}

/** The reason why the gateway cannot start with this limit, and what to do. */
export const tooFewDescriptors = (limit: number, needed: number): string =>
  `the limit of open files is ${limit} (ulimit -n), and the gateway needs at least ${needed}; raise it with ulimit -n, LimitNOFILE= of systemd or --ulimit nofile= of docker. A connection takes one more each.`;
