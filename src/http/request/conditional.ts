import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '../../errors/problems.ts';

/** Whether the response to a request can depend on whether the object exists (RFC 9110 §13.1). */
export const isConditional = (headers: IncomingHttpHeaders): boolean =>
  headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;

/**
 * Evaluates If-Match, then If-None-Match, in the order of RFC 9110 §13.2.2. No entity tags are
 * offered, so a condition that names one never matches: If-Match then fails, If-None-Match holds.
 * Returns whether to send 304; throws `precondition-failed`.
 */
export function evaluateConditions(
  headers: IncomingHttpHeaders,
  method: string,
  exists: boolean,
): 'proceed' | 'not-modified' {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !(isAny(ifMatch) && exists)) {
    throw new ProblemError('precondition-failed', {
      detail: isAny(ifMatch)
        ? 'If-Match: * requires an object with this key, and there is none.'
        : 'If-Match names an entity tag; none are offered, so none can match.',
    });
  }
  if (!exists || !requiresAbsence(headers)) return 'proceed';
  if (method === 'GET' || method === 'HEAD') return 'not-modified';
  throw new ProblemError('precondition-failed', {
    detail: 'If-None-Match: * requires that no object has this key, and there is one.',
  });
}

/** Whether the request is only to succeed where there is no object (`If-None-Match: *`). */
export const requiresAbsence = (headers: IncomingHttpHeaders): boolean => {
  const ifNoneMatch = headers['if-none-match'];
  return ifNoneMatch !== undefined && isAny(ifNoneMatch);
};

const isAny = (value: string): boolean => value.trim() === '*';
