import { type ProblemError, problemKinds } from '../errors/problems.ts';

const PLAIN = /^[ !#-[\]-~]*$/;

/** A key as a JSON string; most need no escapes, and checking that is faster than escaping. */
export const quoted = (key: string): string => (PLAIN.test(key) ? `"${key}"` : JSON.stringify(key));

/** The code of an item as JSON: null if there was no engine call. */
const codeOf = ({ options }: ProblemError): number | null => options.code ?? null;

/** Status and code of a failure as for every item, and the members of its problem. */
export function problemMembers(problem: ProblemError): object {
  const { slug, options, message } = problem;
  const kind = problemKinds[slug];
  return {
    status: kind.status,
    code: codeOf(problem),
    ...(options.name === undefined ? {} : { name: options.name }),
    type: `/problems/${slug}`,
    detail: options.detail === undefined ? kind.help : message,
    retryable: options.retryable ?? kind.retryable,
    // The room of the pool, as openapi.yaml says of a failed item.
    ...(slug === 'no-room' ? options.members : {}),
  };
}

/** The members of a failed item without its key. */
const failureMembers = (problem: ProblemError): string =>
  JSON.stringify(problemMembers(problem)).slice(1, -1);

/** The texts of failures that many items share are created once. */
export function failureTexts(): (key: string, problem: ProblemError) => string {
  const known = new WeakMap<ProblemError, string>();
  return (key, problem) => {
    let members = known.get(problem);
    if (members === undefined) {
      members = failureMembers(problem);
      known.set(problem, members);
    }
    return `{"key":${quoted(key)},${members}}`;
  };
}
