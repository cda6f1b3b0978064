import { createHash } from 'node:crypto';
import type { Exchange } from './exchange.ts';
import type { Logger } from './log.ts';

/** Ordinary answers of a cache: a miss, a duplicate, a failed condition, a range past the end. */
const ORDINARY = new Set([404, 409, 412, 416]);

/**
 * Logs the requests that failed (5xx as errors, 4xx but the ordinary ones as information), the slow
 * ones and the aborted ones, or all of them with --access-log.
 */
export function exchangeLog(
  logger: Logger,
  settings: { accessLog: boolean; slowRequestMs: number },
): (exchange: Exchange, status: number, durationMs: number) => void {
  const { accessLog, slowRequestMs } = settings;
  return (exchange, status, durationMs) => {
    const slow = slowRequestMs > 0 && durationMs > slowRequestMs;
    const failed = status >= 400 && !ORDINARY.has(status);
    if (!failed && !slow && !accessLog && status !== 0 && exchange.error === undefined) return;
    const line = lineOf(exchange, status, durationMs);
    if (status >= 500 || exchange.error !== undefined) logger.error(line, 'request failed');
    else if (slow) logger.warn(line, 'slow request');
    else if (status === 0) logger.info(line, 'client went away');
    else logger.info(line, failed ? 'request refused' : 'request');
  };
}

const lineOf = (exchange: Exchange, status: number, durationMs: number) => ({
  requestId: exchange.requestId,
  method: exchange.method,
  route: exchange.route,
  status,
  durationMs: Math.round(durationMs * 100) / 100,
  bytesIn: exchange.bytesIn,
  bytesOut: exchange.bytesOut,
  ...(exchange.problem === undefined ? {} : { problem: exchange.problem }),
  ...(exchange.key === undefined ? {} : { keyHash: hashedKey(exchange.key) }),
  ...(exchange.error === undefined ? {} : { err: exchange.error }),
});

/**
 * Keys may tell what users asked, so a log has only the first 64 bits of their SHA-256:
 * `printf %s "$key" | sha256sum | cut -c1-16` finds the lines of a known key.
 */
export const hashedKey = (key: string): string =>
  createHash('sha256').update(key).digest('hex').slice(0, 16);
