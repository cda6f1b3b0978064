import { parseQuery, switched } from '../http/request/query.ts';

export interface StatusQuery {
  /** The key to look up; undefined when the field is empty. */
  readonly key: string | undefined;
  /** Whether the page loads itself again. With a key it does not: a reader needs time for the result. */
  readonly refreshes: boolean;
}

/** Throws `invalid-parameter` for other parameters, as every operation does. */
export function parseStatusQuery(query: string): StatusQuery {
  const { key = '', refresh } = parseQuery(query, ['key', 'refresh']);
  const isOn = refresh === undefined || switched('refresh', refresh);
  return { key: key === '' ? undefined : key, refreshes: isOn && key === '' };
}
