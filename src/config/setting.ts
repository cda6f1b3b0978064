import type { Kind } from './kinds.ts';

export const groups = [
  'Listening',
  'Tokens',
  'TLS',
  'Engine',
  'Memory',
  'Requests',
  'Clients',
  'Shared buffers',
  'Browsers',
  'Process',
  'Logs',
] as const;

/** From the most verbose. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export interface Setting<T> {
  readonly group: (typeof groups)[number];
  readonly kind: Kind<T>;
  readonly fallback: T;
  /** One or two sentences; units and what happens at the limit. */
  readonly help: string;
}

/** Ties the default's type to the kind's, so that a table row can't contradict itself. */
export function setting<T>(
  group: (typeof groups)[number],
  kind: Kind<T>,
  fallback: NoInfer<T>,
  help: string,
): Setting<T> {
  return { group, kind, fallback, help };
}
