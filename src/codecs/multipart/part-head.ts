import { isUtf8 } from 'node:buffer';
import { ProblemError } from '../../errors/problems.ts';
import { parseParameters } from '../../http/request/media-type.ts';
import { requireKey } from '../keys.ts';

/** The headers of a part: names in lower case, values as latin1. */
export type PartHeaders = Readonly<Record<string, readonly string[] | undefined>>;

export interface PartHead {
  readonly key: string;
  /** Content-Length of the part, if it has one: exactly this much memory is reserved. */
  readonly bytes: number | undefined;
}

/** Limit of the headers of one part, without the blank line after them; a key has at most 255 bytes. */
export const MAX_HEADER_BYTES = 16 * 1024;
export const MAX_HEADERS = 64;

const FIELD_NAME = /^[!#$%&'*+.^`|~\w-]+(?=:)/;

/**
 * Reads the headers of a part: lines of a name, a colon and a value, which may continue in lines that
 * begin with a blank (RFC 5322 §2.2). It ignores nothing: an invalid line could hide the name of the part,
 * and its bytes would be stored under another key. Throws `invalid-body`.
 */
export function parsePartHeaders(text: string, number: number): PartHeaders {
  const headers = Object.create(null) as Record<string, string[]>;
  if (text === '') return headers;
  let count = 0;
  for (const line of text.replaceAll(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const name = /[\r\n]/.test(line) ? undefined : FIELD_NAME.exec(line)?.[0].toLowerCase();
    if (name === undefined) throw partFault(number, 'has an invalid line in its headers');
    if (++count > MAX_HEADERS) throw partFault(number, `has more than ${MAX_HEADERS} headers`);
    headers[name] ??= [];
    headers[name].push(withoutBlanks(line, name.length + 1));
  }
  return headers;
}

/** The text from `start` without surrounding blanks. A pattern would take quadratic time on many blanks. */
function withoutBlanks(line: string, start: number): string {
  const isBlank = (at: number): boolean => line[at] === ' ' || line[at] === '\t';
  let from = start;
  let end = line.length;
  while (from < end && isBlank(from)) from++;
  while (end > from && isBlank(end - 1)) end--;
  return line.slice(from, end);
}

/**
 * Reads the head of a form-data part (RFC 7578): its name is the key, with or without a file name. Throws
 * `invalid-body` and `invalid-key`.
 */
export function readPartHead(headers: PartHeaders, number: number): PartHead {
  const disposition = headers['content-disposition']?.[0] ?? '';
  const found = /^[ \t]*form-data[ \t]*(;.*)$/i.exec(disposition);
  const name = found === null ? undefined : parseParameters(found[1] as string, 0)?.get('name');
  if (name === undefined) {
    throw partFault(number, 'has no Content-Disposition: form-data with a name');
  }
  const bytes = Buffer.from(name, 'latin1');
  if (!isUtf8(bytes)) throw partFault(number, 'has a name that is not UTF-8');
  // All current clients encode a quotation mark in this way.
  const key = bytes.toString('utf8').replaceAll('%22', '"');
  requireKey(key, () => `The name of part ${number}`);
  return { key, bytes: announcedBytes(headers['content-length']?.[0], number) };
}

/** For a part whose name does not matter: its number, from 0, is the name. */
export const readNumberedHead = (headers: PartHeaders, number: number): PartHead => ({
  key: String(number - 1),
  bytes: announcedBytes(headers['content-length']?.[0], number),
});

function announcedBytes(text: string | undefined, number: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw partFault(number, 'has a Content-Length that is not a number');
  return Number(text);
}

export const partFault = (number: number, complaint: string): ProblemError =>
  multipartFault(`Part ${number} of the body ${complaint}`);

export const multipartFault = (sentence: string): ProblemError =>
  new ProblemError('invalid-body', { detail: `${sentence}.` });
