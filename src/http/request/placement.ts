import { MAX_REPLICAS } from '../../native/abi/limits.ts';
import type { PutOptions } from '../../native/abi/types.ts';
import type { IfExists } from '../../store/object-store.ts';
import { invalidParameter, parseQuery, printable, wholeNumber } from './query.ts';

export interface PutQuery {
  readonly options: PutOptions;
  readonly ifExists: IfExists;
}

const MAX_SERVICE_ID = 0x7fff_ffff;
const DEFAULTS: PutQuery = { options: { replicas: 1, prefer: [] }, ifExists: 'fail' };

/** The options of a PUT from its query: `replicas`, `prefer`, `ifExists`. */
export function parsePutQuery(query: string): PutQuery {
  return query === '' ? DEFAULTS : putQueryOf(parseQuery(query, PUT_NAMES));
}

/** The names of these options in a query. */
export const PUT_NAMES = ['replicas', 'prefer', 'ifExists'] as const;

/** The options among the parameters of a query. */
export function putQueryOf({
  replicas,
  prefer,
  ifExists,
}: Partial<Record<(typeof PUT_NAMES)[number], string>>): PutQuery {
  const count = replicas === undefined ? 1 : wholeNumber('replicas', replicas, 1, MAX_REPLICAS);
  return {
    options: { replicas: count, prefer: prefer === undefined ? [] : parsePrefer(prefer, count) },
    ifExists: ifExists === undefined ? 'fail' : parseIfExists(ifExists),
  };
}

/** The same options as members of a JSON body. */
export function placementOf(
  replicas = 1,
  prefer: readonly number[] = [],
  ifExists = 'fail',
): PutQuery {
  const count = wholeNumber('replicas', String(replicas), 1, MAX_REPLICAS);
  for (const id of prefer) wholeNumber('prefer', String(id), 0, MAX_SERVICE_ID);
  requirePreferable(prefer, prefer.join(','), count);
  return { options: { replicas: count, prefer }, ifExists: parseIfExists(ifExists) };
}

function parsePrefer(text: string, replicas: number): number[] {
  const ids = text.split(',').map((id) => wholeNumber('prefer', id, 0, MAX_SERVICE_ID));
  requirePreferable(ids, text, replicas);
  return ids;
}

function requirePreferable(ids: readonly number[], text: string, replicas: number): void {
  if (new Set(ids).size !== ids.length) {
    throw invalidParameter(`prefer=${printable(text)}: each service id may be named once.`);
  }
  if (ids.length > replicas) {
    throw invalidParameter(
      `prefer names ${ids.length} services for ${replicas} replicas: at most as many as replicas.`,
    );
  }
}

function parseIfExists(text: string): IfExists {
  if (text === 'fail' || text === 'keep' || text === 'replace') return text;
  throw invalidParameter(`ifExists=${printable(text)}: expected fail, keep or replace.`);
}
