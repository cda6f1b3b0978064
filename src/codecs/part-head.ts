import { isUtf8 } from 'node:buffer';
import { ProblemError } from '../errors.ts';
import { parseParameters } from '../http/media-type.ts';
import { requireKey } from './keys.ts';

/** The headers of a part: names in lower case, values as latin1. */
export type PartHeaders = Readonly<Record<string, readonly string[] | undefined>>;

export interface PartHead {
  readonly key: string;
  /** Where the part tells it: the exact room is set aside then. */
  readonly bytes: number | undefined;
}

/** Of the headers of one part, without the blank line behind them; a key has at most 255 bytes. */
export const MAX_HEADER_BYTES = 16 * 1024;
export const MAX_HEADERS = 64;

const FIELD_NAME = /^[!#$%&'*+.^`|~\w-]+(?=:)/;

/**
 * Reads the headers of a part: lines of a name, a colon and a value, which goes on in lines that begin
 * with a blank (RFC 5322 §2.2). Nothing is passed over: a line that is no header could hide the name
 * of the part, and its bytes would be stored under another key. Throws `invalid-body`.
 */
export function parsePartHeaders(text: string, number: number): PartHeaders {
  const headers = Object.create(null) as Record<string, string[]>;
  if (text === '') return headers;
  let count = 0;
  for (const line of text.replaceAll(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const name = /[\r\n]/.test(line) ? undefined : FIELD_NAME.exec(line)?.[0].toLowerCase();
    if (name === undefined) throw partFault(number, 'has a line in its headers that is no header');
    if (++count > MAX_HEADERS) throw partFault(number, `has more than ${MAX_HEADERS} headers`);
    headers[name] ??= [];
    headers[name].push(withoutBlanks(line, name.length + 1));
  }
  return headers;
}

/** From `start`, without the blanks around it. No pattern: on many blanks it takes quadratic time. */
function withoutBlanks(line: string, start: number): string {
  const isBlank = (at: number): boolean => line[at] === ' ' || line[at] === '\t';
  let from = start;
  let end = line.length;
  while (from < end && isBlank(from)) from++;
  while (end > from && isBlank(end - 1)) end--;
  return line.slice(from, end);
}

/**
 * Reads the head of a form-data part (RFC 7578): its name is the key, whether it has a file name or
 * not. Throws `invalid-body` and `invalid-key`.
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
  // This is how all current clients write a quotation mark.
  const key = bytes.toString('utf8').replaceAll('%22', '"');
  requireKey(key, `The name of part ${number}`);
  return { key, bytes: announcedBytes(headers['content-length']?.[0], number) };
}

/** Of a part whose place alone counts: its number, from 0, stands for a name. */
export const readNumberedHead = (headers: PartHeaders, number: number): PartHead => ({
  key: String(number - 1),
  bytes: announcedBytes(headers['content-length']?.[0], number),
});

function announcedBytes(text: string | undefined, number: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw partFault(number, 'has a Content-Length that is no number');
  return Number(text);
}

export const partFault = (number: number, complaint: string): ProblemError =>
  multipartFault(`Part ${number} of the body ${complaint}`);

export const multipartFault = (sentence: string): ProblemError =>
  new ProblemError('invalid-body', { detail: `${sentence}.` });
