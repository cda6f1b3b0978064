import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import type { ProblemResponse } from './problem.ts';
import { invalidParameter } from './query.ts';

/** What is still read, and thrown away, after a refusal: enough for clients that send first and look later. */
const DISCARD = { idleMs: 2_000, totalMs: 30_000, bytes: 1 << 30 };

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
 * Answers a request whose body has not been read. Closing at once would make the kernel reset the
 * connection, and curl, Python and fetch would show a broken pipe instead of the status: so the
 * answer is sent, our side is closed, and what still comes is discarded within bounds.
 */
export function refuse(exchange: Answerable, answer: ProblemResponse): void {
  answerLast(exchange, answer);
  const { req } = exchange;
  req.once('end', () => req.socket.destroy());
}

type Answerable = Pick<Exchange, 'req' | 'res' | 'method'>;

/**
 * Gives the last answer of a connection: ends our side behind it, and discards what still comes until
 * the client has ended its own, or a bound is met. The response never ends for node:http, which
 * therefore begins no other on this connection.
 */
export function answerLast({ req, res, method }: Answerable, answer: ProblemResponse): void {
  const { socket } = req;
  if (socket.destroyed) return;
  answer.headers['Connection'] = 'close';
  res.writeHead(answer.status, answer.headers);
  if (method === 'HEAD') res.flushHeaders();
  else res.write(answer.body);
  socket.end();
  let left = DISCARD.bytes;
  const close = () => socket.destroy();
  const whole = setTimeout(close, DISCARD.totalMs);
  const idle = setTimeout(() => {
    // The answer itself may still wait for a client that reads slowly.
    if (socket.writableLength > 0) idle.refresh();
    else close();
  }, DISCARD.idleMs);
  const stop = () => {
    clearTimeout(whole);
    clearTimeout(idle);
  };
  socket.once('close', stop);
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) close();
    else idle.refresh();
  });
  req.on('error', () => undefined);
  req.resume();
}
