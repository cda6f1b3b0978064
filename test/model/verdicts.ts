/** What an answer tells of one key, alone or as an item of a batch, held against the model. */
import assert from 'node:assert/strict';
import type { Answer } from './http.ts';
import { absent, type ModelKey, type State } from './model.ts';
import type { Value } from './values.ts';

/** An answer about one key, or an item of one. */
export interface Told {
  readonly status: number;
  /** Of a problem: its slug, and whether it can be tried again. */
  readonly type?: string;
  readonly retryable?: boolean;
  /** Of a put. */
  readonly outcome?: string;
}

/** Which problems are answers, and no faults of the gateway. */
export type Tolerance = (told: Told) => boolean;

export const noProblem: Tolerance = () => false;
/** An engine that fails: all that it can be blamed for. */
export const engineFaults: Tolerance = ({ status, type, retryable }) =>
  type !== '/problems/internal-error' && (status >= 500 || (status !== 404 && retryable === true));
/** An arena that is too small for all who come at once. */
export const noRoom: Tolerance = ({ type }) => type === '/problems/arena-full';

/** Past its deadline the engine may yet do what it was asked. */
const isUnderWay = ({ status }: Told): boolean => status === 504;

export function toldBy({ status, headers, body }: Answer): Told {
  const retryable = headers['retry-after'] !== undefined;
  if (headers['content-type'] !== 'application/problem+json' || body.length === 0) {
    const outcome = headers['memcache-outcome'] as string | undefined;
    return { status, retryable, ...(outcome === undefined ? {} : { outcome }) };
  }
  const { type } = JSON.parse(body.toString()) as { type: string };
  return { status, type, retryable };
}

export const ifExistsModes = ['fail', 'keep', 'replace'] as const;
export type IfExists = (typeof ifExistsModes)[number];

/**
 * A put of which nobody has heard. One that is `underWay` still may find the key as it is later, and
 * store its value where something is now.
 */
export function mayHavePut(key: ModelKey, value: Value, mode: IfExists, underWay: boolean): void {
  const states: State[] = underWay || mode === 'replace' || key.mayBeAbsent ? [value] : [];
  // A replacement that fails may have removed what was there.
  if (mode === 'replace') states.push(absent);
  key.mayBecome(states, underWay);
}

/** `conflict` is the status of a put that was not to overwrite. */
export function judgePut(
  key: ModelKey,
  value: Value,
  mode: IfExists,
  told: Told,
  tolerates: Tolerance,
  conflict = 409,
): void {
  if (tolerates(told)) {
    mayHavePut(key, value, mode, isUnderWay(told));
    return;
  }
  const { status, outcome } = told;
  const wasThere = status !== 201;
  key.seesPresence(wasThere);
  if (!wasThere) assert.equal(outcome, 'created');
  else if (mode === 'keep') assert.deepEqual([status, outcome], [200, 'kept']);
  else if (mode === 'fail') assert.equal(status, conflict);
  // Only another writer, whom nobody has heard of, can have been quicker three times.
  else if (status !== 409 || key.settled) assert.deepEqual([status, outcome], [200, 'replaced']);
  if (!wasThere || outcome === 'replaced') key.becomes(value);
}

/** `found` are the bytes of a success. */
export function judgeGet(
  key: ModelKey,
  told: Told,
  tolerates: Tolerance,
  found: Buffer | undefined,
): void {
  if (tolerates(told)) return;
  const { status, type } = told;
  // Its length changed twice between a look and a read: somebody is at it.
  if (type === '/problems/object-changed' && !key.settled) return;
  if (found !== undefined) assert.equal(status, 200);
  else assert.equal(status, 404, `a get of ${key.key} → ${JSON.stringify(told)}`);
  key.sees(found ?? absent);
}

/** `size` is that of a success. */
export function judgeInfo(
  key: ModelKey,
  told: Told,
  tolerates: Tolerance,
  size: number | undefined,
): void {
  if (tolerates(told)) return;
  if (size === undefined) {
    assert.equal(told.status, 404, `a look at ${key.key} → ${JSON.stringify(told)}`);
    key.seesPresence(false);
    return;
  }
  assert.equal(told.status, 200);
  key.seesLength(size);
}

export function judgeRemove(key: ModelKey, told: Told, tolerates: Tolerance): void {
  if (tolerates(told)) {
    key.mayBecome([absent], isUnderWay(told));
    return;
  }
  const wasThere = told.status === 204;
  if (!wasThere) assert.equal(told.status, 404, `a remove of ${key.key} → ${JSON.stringify(told)}`);
  key.seesPresence(wasThere);
  if (wasThere) key.becomes(absent);
}
