import { ProblemError, type ProblemSlug, sharedProblem } from '../errors.ts';
import { codeName, LOCK_TIMEOUT, UNTRUSTED_READ } from '../native/codes.ts';
import {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../native/errors.ts';

export type StoreOperation = 'read' | 'stat' | 'exists' | 'write' | 'remove';

/** Codes whose meaning does not depend on the operation (design.md §3); −1 is explained elsewhere. */
const SLUG_OF_CODE: Readonly<Record<number, ProblemSlug>> = {
  [-1]: 'engine-error',
  [-3000]: 'engine-invalid-parameter',
  [-3001]: 'engine-out-of-resources',
  [-3002]: 'engine-out-of-resources',
  [-3003]: 'engine-unavailable',
  [-3004]: 'engine-timeout',
  [-3005]: 'repeated-call',
  [-3006]: 'object-exists',
  [-3007]: 'object-being-written',
  [-3008]: 'engine-unavailable',
  [-3009]: 'engine-network-fault',
  [-3010]: 'engine-network-fault',
  [-3011]: 'engine-network-fault',
  [-3013]: 'no-room',
  [-3014]: 'engine-unavailable',
  [-3015]: 'engine-fault',
  [-3016]: 'no-room',
  [-3017]: 'engine-unavailable',
  [-3018]: 'engine-unavailable',
  [-3019]: 'engine-unavailable',
  [-3020]: 'ssd-unavailable',
  [-3101]: 'unmatched-state',
  [-3102]: 'object-not-found',
  [-3103]: 'engine-error',
  [-3104]: 'lease-active',
  [-3105]: 'engine-error',
  [-3106]: 'lease-expired',
  [-3107]: 'range-already-written',
};

/** An engine answers a few dozen codes. The bound holds even if it answers any number. */
const MAX_KNOWN_PROBLEMS = 1024;
const knownProblems = new Map<string, ProblemError>();

/**
 * A problem that carries the engine's code and its name. The same code and reason give the same
 * frozen object: a batch may have 131,072 items that fail alike, and an Error for each of them would
 * cost more heap than the whole request.
 */
export function problemOfCode(
  operation: StoreOperation,
  code: number,
  slug: ProblemSlug = SLUG_OF_CODE[code] ?? 'engine-fault',
  detail?: string,
): ProblemError {
  // Of the operations, only a write has details of its own (`timeout`).
  const reason = `${operation === 'write'} ${code} ${slug} ${detail ?? ''}`;
  const known = knownProblems.get(reason);
  if (known !== undefined) return known;
  const problem = createProblem(operation, code, slug, detail);
  if (knownProblems.size < MAX_KNOWN_PROBLEMS) knownProblems.set(reason, problem);
  return problem;
}

function createProblem(
  operation: StoreOperation,
  code: number,
  slug: ProblemSlug,
  detail: string | undefined,
): ProblemError {
  // Neither is a code of the distributed engine, so a client gets the problem without a number.
  if (code === UNTRUSTED_READ) return sharedProblem('read-not-trusted');
  if (code === LOCK_TIMEOUT) return sharedProblem('pool-locked');
  return sharedProblem(slug, {
    code,
    name: codeName(code),
    ...(detail === undefined ? {} : { detail }),
    ...(slug === 'engine-timeout' ? timeout(operation) : {}),
  });
}

/** What the native side throws, as a problem; anything else is a defect and passes through. */
export function problemOfThrown(operation: StoreOperation, error: unknown): unknown {
  const cause = { cause: error };
  if (error instanceof EngineDeadlineError) {
    return new ProblemError('engine-timeout', {
      code: -3004,
      name: codeName(-3004),
      ...timeout(operation),
      ...cause,
    });
  }
  if (error instanceof EngineStuckError) return new ProblemError('engine-stuck', cause);
  if (error instanceof EngineClosedError) return new ProblemError('not-ready', cause);
  if (error instanceof ArenaFullError) return new ProblemError('arena-full', cause);
  return error;
}

/** A put that timed out may have happened or may yet happen, so trying it again blindly is no help. */
const timeout = (operation: StoreOperation) =>
  operation === 'write'
    ? {
        retryable: false,
        detail:
          'The engine did not answer within the deadline. Whether the object was stored is unknown: ask with HEAD before sending it again.',
      }
    : { retryable: true, detail: 'The engine did not answer within the deadline.' };
