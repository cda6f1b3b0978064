import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import { invalidParameter, printable } from './query.ts';

/** Bodies are taken as the bytes they are; RFC 9110 §14.5 refuses a Content-Range. */
export function refuseCodings({ req }: Exchange): void {
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
  checkTransferCoding(req);
}

/** Throws `not-implemented` unless a body comes as it is, or chunked. */
export function checkTransferCoding({ headers }: IncomingMessage): void {
  const transfer = headers['transfer-encoding'];
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    throw new ProblemError('not-implemented', {
      detail: `Transfer-Encoding: ${printable(transfer)} is not supported; chunked is.`,
    });
  }
}

/** Undefined when the length is known at the end only. */
export function announcedLength({ req }: Pick<Exchange, 'req'>): number | undefined {
  if (req.headers['transfer-encoding'] !== undefined) return undefined;
  const length = req.headers['content-length'];
  return length === undefined ? 0 : Number(length);
}
