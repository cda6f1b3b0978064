import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';
import { ProblemError } from '../../errors/problems.ts';
import { printable } from './query.ts';

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'multipart/form-data';
export const MIXED_TYPE = 'multipart/mixed';
export const SAFETENSORS_TYPE = 'application/vnd.safetensors';

/** The media type of a body, in lower case, with its parameters. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const PARAMETER =
  /;[ \t]*(?:([!#$%&'*+.^`|~\w-]+)=(?:([!#$%&'*+.^`|~\w-]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?/y;
const TYPE = /^[ \t]*([!#$%&'*+.^`|~\w-]+\/[!#$%&'*+.^`|~\w-]+)[ \t]*/;

/** Reads a Content-Type (RFC 9110 §8.3.1); undefined when it is invalid. */
export function parseMediaType(header: string): MediaType | undefined {
  const match = TYPE.exec(header);
  if (match === null) return undefined;
  const parameters = parseParameters(header, match[0].length);
  if (parameters === undefined) return undefined;
  return { type: (match[1] as string).toLowerCase(), parameters };
}

/**
 * The parameters from `at` to the end of a header, names in lower case, the first of each
 * name; undefined when they are malformed.
 */
export function parseParameters(header: string, at: number): Map<string, string> | undefined {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = at;
  while (PARAMETER.lastIndex < header.length) {
    const found = PARAMETER.exec(header);
    if (found === null) return undefined;
    const [, name, token, quoted] = found;
    if (name === undefined) continue;
    const value = token ?? quoted?.replaceAll(/\\(["\\])/g, '$1') ?? '';
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  return parameters;
}

/**
 * The type of the body, one of `accepted`; a body without Content-Type has none of them. The refusal
 * lists the accepted types in `Accept` (RFC 9110 §15.5.16), or for POST in its own header.
 */
export function requireMediaType(
  req: IncomingMessage,
  accepted: readonly string[],
  listIn: 'Accept-Post' | 'Accept' = 'Accept-Post',
): MediaType {
  const header = req.headers['content-type'];
  const found = header === undefined ? undefined : parseMediaType(header);
  const charset = found?.parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (found !== undefined && accepted.includes(found.type) && /^utf-?8$/.test(charset))
    return found;
  const given = header === undefined ? 'none was given' : `not ${printable(header)}`;
  throw new ProblemError('unsupported-media-type', {
    detail: `Content-Type must be ${accepted.join(', or ')}; ${given}.`,
    headers: { [listIn]: accepted.join(', ') },
  });
}

/** The best of the offered types, in that order of preference; without Accept the first. */
export function negotiate<Type extends string>(
  req: IncomingMessage,
  offered: readonly [Type, ...Type[]],
): Type {
  if (req.headers.accept === undefined) return offered[0];
  const best = new Negotiator(req).mediaType([...offered]);
  const match = offered.find((type) => type === best);
  if (match !== undefined) return match;
  throw new ProblemError('not-acceptable', {
    detail: `This can be sent as ${offered.join(', or ')}.`,
  });
}

/** Throws `not-acceptable` unless the request accepts `type`; without Accept it accepts any. */
export function requireAcceptable(req: IncomingMessage, type: string): void {
  const { accept } = req.headers;
  if (accept === undefined || accept === '*/*') return;
  if (new Negotiator(req).mediaType([type]) !== undefined) return;
  throw new ProblemError('not-acceptable', { detail: `This can only be sent as ${type}.` });
}

/** Whether the request prefers HTML to JSON, as requests of browsers do. */
export const prefersHtml = (req: IncomingMessage): boolean =>
  new Negotiator(req).mediaType(['application/json', 'text/html']) === 'text/html';
