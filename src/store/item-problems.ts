import { ProblemError, sharedProblem } from '../errors/problems.ts';

/** Details that contain numbers of single items are kept for this number of items. Later items have no detail. */
const MAX_DETAILS = 64;

/**
 * The problems of the items of one request. Items that fail for the same reason share one frozen
 * object: a request may have 131,072 items, and an Error for each would fill the heap.
 */
export class ItemProblems {
  readonly #known = new Map<string, ProblemError>();

  /** The problem to keep for an item instead of this one, without its cause. */
  share(problem: ProblemError): ProblemError {
    if (Object.isFrozen(problem)) return problem;
    const { slug, options } = problem;
    const kept = { ...options };
    delete kept.cause;
    const reason = `${slug} ${kept.code ?? ''} ${kept.retryable ?? ''} ${kept.detail ?? ''}`;
    const known = this.#known.get(reason);
    if (known !== undefined) return known;
    if (kept.detail === undefined || this.#known.size < MAX_DETAILS) {
      return this.#keep(reason, sharedProblem(slug, kept));
    }
    delete kept.detail;
    delete kept.members;
    return this.share(new ProblemError(slug, kept));
  }

  #keep(reason: string, problem: ProblemError): ProblemError {
    this.#known.set(reason, problem);
    return problem;
  }
}
