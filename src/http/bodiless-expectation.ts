import type { Exchange } from './exchange.ts';
import { announcesBody } from './refuse.ts';

/**
 * Ignores `Expect: 100-continue` on a request without a body, as RFC 9110 §10.1.1 allows. node:http
 * closes a connection behind a response that no 100 has preceded, since a body may follow; of such a
 * request none does. A Connection header in the response is the documented way to keep it open.
 */
export function ignoreBodilessExpectation(exchange: Exchange, keepAliveMs: number): void {
  const { req, res } = exchange;
  if (!exchange.expectsContinue || announcesBody(req)) return;
  exchange.expectsContinue = false;
  // It ends for another reason.
  if (!res.shouldKeepAlive) return;
  res.setHeader('Connection', 'keep-alive');
  res.setHeader('Keep-Alive', `timeout=${Math.floor(keepAliveMs / 1000)}`);
}
