import { switchOf } from '../../config/kinds.ts';
import { ProblemError } from '../../errors/problems.ts';

/**
 * The query parameters of a request, each at most once and each known to the route: a misspelt one
 * is refused with the names that exist, never silently ignored. Throws `invalid-parameter`.
 */
export function parseQuery<Name extends string>(
  query: string,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  if (query === '') return found;
  if (/%(?![0-9A-Fa-f]{2})/.test(query)) {
    throw invalidParameter('A % in the query is not followed by two hexadecimal digits.');
  }
  for (const [name, value] of new URLSearchParams(query)) {
    const match = known.find((candidate) => candidate === name);
    if (match === undefined) {
      throw invalidParameter(
        known.length === 0
          ? `Unknown query parameter '${printable(name)}': this operation has none.`
          : `Unknown query parameter '${printable(name)}': this operation has ${known.join(', ')}.`,
      );
    }
    if (found[match] !== undefined) {
      throw invalidParameter(`The query parameter '${match}' is given more than once.`);
    }
    found[match] = value;
  }
  return found;
}

/** Text of a client for a message: shortened, and without control characters. */
export const printable = (text: string): string =>
  text.slice(0, 64).replaceAll(/[\p{C}'"]/gu, '\uFFFD');

/** A whole number in decimal within a range, or `invalid-parameter` with the expected range. */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw invalidParameter(
      `${name}=${printable(text)}: expected a whole number from ${least} to ${most}.`,
    );
  }
  return value;
}

/** A parameter that is on when it is given alone, or with a word of a switch, as in the settings. */
export function switched(name: string, text: string | undefined): boolean {
  if (text === undefined) return false;
  if (text === '') return true;
  const on = switchOf(text);
  if (on !== undefined) return on;
  throw invalidParameter(`${name}=${printable(text)}: expected true or false, or nothing.`);
}

export const invalidParameter = (detail: string): ProblemError =>
  new ProblemError('invalid-parameter', { detail });
