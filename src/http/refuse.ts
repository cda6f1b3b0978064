import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import type { ProblemResponse } from './problem.ts';
import { invalidParameter } from './query.ts';

/** Whether the request announces a body. */
export const announcesBody = (req: IncomingMessage): boolean =>
  req.headers['transfer-encoding'] !== undefined ||
  (req.headers['content-length'] !== undefined && req.headers['content-length'] !== '0');

/** The refusal of a request that announces a body where none is taken. */
export const bodyNotTaken = (method: string): ProblemError =>
  invalidParameter(`${method} takes no body here.`);

export const methodNotAllowed = (method: string, allow: string): ProblemError =>
  new ProblemError('method-not-allowed', {
    detail: `${method} is not a method of this resource; it has ${allow}.`,
    headers: { Allow: allow },
  });

/** Whether bytes of the request may still come. */
export const hasUnreadBody = ({ req }: Exchange): boolean => !req.complete && announcesBody(req);

/**
 * Sends the last response of a connection, also to a request whose body has not been read. The
 * connection then lingers (linger.ts), so that curl, Python and fetch see the status and not a broken
 * pipe, and no later request of it is served.
 */
export function answerLast(
  { req, res, method }: Pick<Exchange, 'req' | 'res' | 'method'>,
  answer: ProblemResponse,
): void {
  if (req.socket.destroyed) return;
  answer.headers['Connection'] = 'close';
  res.writeHead(answer.status, answer.headers);
  res.end(method === 'HEAD' ? undefined : answer.body);
}
