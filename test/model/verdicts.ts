/** Compares a response about one key, single or as an item of a batch, with the model. */
import assert from 'node:assert/strict';
import type { Answer } from './http.ts';
import { absent, type ModelKey, type State } from './model.ts';
import type { Value } from './values.ts';

/** A response about one key, or one item of a response. */
export interface Reported {
  readonly status: number;
  /** The type of a problem, and whether the request can be retried. */
  readonly type?: string;
  readonly retryable?: boolean;
  /** The outcome of a put. */
  readonly outcome?: string;
}

/** Returns true for problems that the gateway may return. */
export type Tolerance = (reported: Reported) => boolean;

export const noProblem: Tolerance = () => false;
/** The problems that a failing engine may cause. */
export const engineFaults: Tolerance = ({ status, type, retryable }) =>
  type !== '/problems/internal-error' && (status >= 500 || (status !== 404 && retryable === true));
/** The problem of an arena that is too small for all concurrent requests. */
export const noRoom: Tolerance = ({ type }) => type === '/problems/arena-full';

/** After the deadline the engine call may still take effect. */
const isUnderWay = ({ status }: Reported): boolean => status === 504;

export function toldBy({ status, headers, body }: Answer): Reported {
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
 * A put with an unknown outcome. A put still in flight (`underWay`) sees the key as it is later, so it
 * may store its value even if the key has one now.
 */
export function mayHavePut(key: ModelKey, value: Value, mode: IfExists, underWay: boolean): void {
  const states: State[] = underWay || mode === 'replace' || key.mayBeAbsent ? [value] : [];
  // A replacement that fails may have removed the old object.
  if (mode === 'replace') states.push(absent);
  key.mayBecome(states, underWay);
}

/** `conflict` is the status of a put that must not overwrite. */
export function judgePut(
  key: ModelKey,
  value: Value,
  mode: IfExists,
  reported: Reported,
  tolerates: Tolerance,
  conflict = 409,
): void {
  if (tolerates(reported)) {
    mayHavePut(key, value, mode, isUnderWay(reported));
    return;
  }
  const { status, outcome } = reported;
  const wasThere = status !== 201;
  key.seesPresence(wasThere);
  if (!wasThere) assert.equal(outcome, 'created');
  else if (mode === 'keep') assert.deepEqual([status, outcome], [200, 'kept']);
  else if (mode === 'fail') assert.equal(status, conflict);
  // Only another writer with an unknown outcome can have been quicker three times.
  else if (status !== 409 || key.settled) assert.deepEqual([status, outcome], [200, 'replaced']);
  if (!wasThere || outcome === 'replaced') key.becomes(value);
}

/** `found` holds the bytes of a successful response. */
export function judgeGet(
  key: ModelKey,
  reported: Reported,
  tolerates: Tolerance,
  found: Buffer | undefined,
): void {
  if (tolerates(reported)) return;
  const { status, type } = reported;
  // The length changed twice between query and read: another operation is writing the object.
  if (type === '/problems/object-changed' && !key.settled) return;
  if (found !== undefined) assert.equal(status, 200);
  else assert.equal(status, 404, `a get of ${key.key} → ${JSON.stringify(reported)}`);
  key.sees(found ?? absent);
}

/** `size` is the size in a successful response. */
export function judgeInfo(
  key: ModelKey,
  reported: Reported,
  tolerates: Tolerance,
  size: number | undefined,
): void {
  if (tolerates(reported)) return;
  if (size === undefined) {
    assert.equal(reported.status, 404, `a look at ${key.key} → ${JSON.stringify(reported)}`);
    key.seesPresence(false);
    return;
  }
  assert.equal(reported.status, 200);
  key.seesLength(size);
}

export function judgeRemove(key: ModelKey, reported: Reported, tolerates: Tolerance): void {
  if (tolerates(reported)) {
    key.mayBecome([absent], isUnderWay(reported));
    return;
  }
  const wasThere = reported.status === 204;
  if (!wasThere)
    assert.equal(reported.status, 404, `a remove of ${key.key} → ${JSON.stringify(reported)}`);
  key.seesPresence(wasThere);
  if (wasThere) key.becomes(absent);
}
