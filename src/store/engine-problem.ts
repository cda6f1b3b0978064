import { codeName, engineCode, MMC_TIMEOUT } from '../errors/engine-codes.ts';
import { ProblemError, type ProblemSlug, sharedProblem } from '../errors/problems.ts';
import {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../native/abi/errors.ts';

export type StoreOperation = 'read' | 'stat' | 'exists' | 'write' | 'remove';

/** An engine returns a few dozen codes. The bound holds even if it returns any number. */
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
  slug: ProblemSlug = engineCode(code)?.problem ?? 'engine-fault',
  detail?: string,
): ProblemError {
  // Only a write has a detail of its own (`timeout`).
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
  const { problem, source } = engineCode(code) ?? {};
  // The distributed engine does not have this code, so the client gets the problem without it.
  if (problem !== undefined && source !== 'engine') return sharedProblem(problem);
  return sharedProblem(slug, {
    code,
    name: codeName(code),
    ...(detail === undefined ? {} : { detail }),
    ...(slug === 'engine-timeout' ? timeout(operation) : {}),
  });
}

/** The problem for an error of the native side. Any other error is a defect and is returned unchanged. */
export function problemOfThrown(operation: StoreOperation, error: unknown): unknown {
  const cause = { cause: error };
  if (error instanceof EngineDeadlineError) {
    return new ProblemError('engine-timeout', {
      code: MMC_TIMEOUT,
      name: codeName(MMC_TIMEOUT),
      ...timeout(operation),
      ...cause,
    });
  }
  if (error instanceof EngineStuckError) return new ProblemError('engine-stuck', cause);
  if (error instanceof EngineClosedError) return new ProblemError('not-ready', cause);
  if (error instanceof ArenaFullError) {
    return new ProblemError(error.isOwnShare ? 'client-share-full' : 'arena-full', cause);
  }
  return error;
}

/** A put that timed out may have stored the object, or may still store it. So it is not retryable. */
const timeout = (operation: StoreOperation) =>
  operation === 'write'
    ? {
        retryable: false,
        detail:
          'The engine did not return within the deadline. The object may or may not have been stored: check with HEAD before you send it again.',
      }
    : { retryable: true, detail: 'The engine did not return within the deadline.' };
