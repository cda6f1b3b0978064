import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../exchange.ts';
import { invalidParameter, printable } from './query.ts';

/** Whether the request announces a body. */
export const announcesBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined ||
  (headers['content-length'] !== undefined && headers['content-length'] !== '0');

/** Bytes of the body; undefined when its length is known only at its end. */
export function announcedLength({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  const length = headers['content-length'];
  return length === undefined ? 0 : Number(length);
}

/** The refusal of a body by an operation without one. */
export const bodyNotTaken = (method: string): ProblemError =>
  invalidParameter(`${method} takes no body here.`);

/** Accepts a body only as the bytes it is; RFC 9110 §14.5 refuses a Content-Range. */
export function refuseEncodings(req: IncomingMessage): void {
  const coding = req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new ProblemError('unsupported-content-coding', {
      detail: `Content-Encoding: ${printable(coding)} is not accepted; send the bytes as they are.`,
      headers: { 'Accept-Encoding': 'identity' },
    });
  }
  if (req.headers['content-range'] !== undefined) {
    throw invalidParameter('Content-Range is not accepted: an object is stored whole.');
  }
  checkTransferEncoding(req);
}

/** Throws `not-implemented` unless a body is sent as it is, or chunked. */
export function checkTransferEncoding({ headers }: IncomingMessage): void {
  const transfer = headers['transfer-encoding'];
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    throw new ProblemError('not-implemented', {
      detail: `Transfer-Encoding: ${printable(transfer)} is not supported; chunked is.`,
    });
  }
}

/**
 * Ignores `Expect: 100-continue` on a request without a body, as RFC 9110 §10.1.1 allows. node:http
 * closes the connection behind a response without a 100 before it, since a body may follow; behind such
 * a request none does. A Connection header in the response is the documented way to keep it open.
 */
export function ignoreBodilessExpectation(exchange: Exchange, keepAliveMs: number): void {
  const { req, res } = exchange;
  if (!exchange.expectsContinue || announcesBody(req)) return;
  exchange.expectsContinue = false;
  // The connection closes for another reason.
  if (exchange.connection.isClosing) return;
  res.setHeader('Connection', 'keep-alive');
  res.setHeader('Keep-Alive', `timeout=${Math.floor(keepAliveMs / 1000)}`);
}
