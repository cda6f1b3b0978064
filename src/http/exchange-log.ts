import { createHash } from 'node:crypto';
import type { ProblemSlug } from '../errors.ts';
import { clientHasGone, type Exchange } from './exchange.ts';
import { createLineLimit } from './line-limit.ts';
import type { Logger } from './log.ts';

/** The status alone does not tell: the engine's -3101 is a 409 as well. */
const ordinary: ReadonlySet<string | undefined> = new Set<ProblemSlug>([
  'object-not-found',
  'object-exists',
  'precondition-failed',
  'range-not-satisfiable',
]);

/** A coding that we never promised is the client's mistake, for all that its status says. */
const refusal501: ProblemSlug = 'not-implemented';

/** Statuses of an overload, in which every request may fail: their lines are limited for each problem. */
const overloads: ReadonlySet<number> = new Set([503, 504, 507]);

export interface ExchangeLog {
  write(exchange: Exchange, status: number, durationMs: number): void;
  /** Logs the counts of lines that were left out; to be called before the worker ends. */
  flush(): void;
}

/**
 * Logs the requests that failed (5xx as errors, 4xx as information), the slow ones and those whose
 * client went away, or all of them with --access-log. The ordinary answers of a cache are no failures:
 * a miss, a duplicate, a failed condition, a range past the end. Of 503, 504 and 507 a few lines are
 * logged for each problem, and how many more there were, unless --access-log asks for all.
 */
export function exchangeLog(
  logger: Logger,
  settings: { accessLog: boolean; slowRequestMs: number },
): ExchangeLog {
  const { accessLog, slowRequestMs } = settings;
  const limit = createLineLimit((problem, suppressed) =>
    logger.error({ problem, suppressed }, 'requests failed that have no line of their own'),
  );
  const write = (exchange: Exchange, status: number, durationMs: number): void => {
    const slow = slowRequestMs > 0 && durationMs > slowRequestMs;
    const failed = status >= 400 && !ordinary.has(exchange.problem);
    const ours = exchange.error !== undefined || (status >= 500 && exchange.problem !== refusal501);
    const gone = clientHasGone(exchange);
    const { cutOff } = exchange;
    if (!failed && !ours && !slow && !accessLog && !gone && cutOff === undefined) return;
    if (overloads.has(status) && !accessLog && !limit.admits(exchange.problem ?? String(status))) {
      return;
    }
    const line = lineOf(exchange, status, durationMs);
    if (ours) logger.error(line, 'request failed');
    else if (gone) logger.info(line, 'client went away');
    else if (cutOff !== undefined)
      logger.info(line, 'response cut off: the client reads too slowly');
    else if (slow) logger.warn(line, 'slow request');
    else logger.info(line, failed ? 'request refused' : 'request');
  };
  return { write, flush: () => limit.flush() };
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
  ...(exchange.cutOff === undefined ? {} : { reason: exchange.cutOff }),
  ...(exchange.error === undefined ? {} : { err: exchange.error }),
});

/**
 * Keys may tell what users asked, so a log has only the first 64 bits of their SHA-256:
 * `printf %s "$key" | sha256sum | cut -c1-16` finds the lines of a known key.
 */
export const hashedKey = (key: string): string =>
  createHash('sha256').update(key).digest('hex').slice(0, 16);
