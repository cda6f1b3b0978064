import { randomBytes } from 'node:crypto';

const ACCEPTED = /^[A-Za-z0-9._~:+/=@-]{1,128}$/;
const prefix = randomBytes(6).toString('base64url');
let count = 0;

/**
 * The id that a request goes by: the client's X-Request-Id when it is 1 to 128 characters that are
 * safe in a log line, else an id of the gateway (random for the process, then counted).
 */
export function requestIdOf(header: string | string[] | undefined): string {
  if (typeof header === 'string' && ACCEPTED.test(header)) return header;
  count += 1;
  return `${prefix}-${count.toString(36)}`;
}
