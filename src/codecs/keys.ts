import { ProblemError } from '../errors/problems.ts';
import { MAX_KEY_BYTES } from '../native/abi/limits.ts';
import type { CountItem } from './item-cost.ts';

const PLAIN = /^[ -~]{1,255}$/;
const CONTROL = /[\u0000-\u001f\u007f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Throws `invalid-key` for an invalid key, as in a path; `where` makes the beginning of the message. */
export function requireKey(key: string, where: () => string): void {
  if (PLAIN.test(key)) return;
  const complaint = complaintAbout(key);
  if (complaint !== undefined) {
    throw new ProblemError('invalid-key', { detail: `${where()} ${complaint}.` });
  }
}

function complaintAbout(key: string): string | undefined {
  if (key === '') return 'is empty; a key needs 1 to 255 bytes';
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) return `has ${bytes} bytes; at most ${MAX_KEY_BYTES} are allowed`;
  if (CONTROL.test(key)) return 'has a control character';
  if (LONE_SURROGATE.test(key)) return 'has half of a surrogate pair';
  return undefined;
}

/** The most items that a body may have, and the problem of one with more. */
export interface ItemLimit {
  readonly most: number;
  readonly exceeded: () => ProblemError;
  /** Counts each item against the text budget. */
  readonly count?: CountItem;
}

export const keyLimit = (most: number, count: CountItem = () => undefined): ItemLimit => ({
  most,
  exceeded: () => tooManyKeys(most),
  count,
});

export const tooManyKeys = (most: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The batch has more than ${most} keys, or layers of their values (--batch-keys).`,
  });
