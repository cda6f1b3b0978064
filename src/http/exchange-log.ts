import { createHash } from 'node:crypto';
import { type ItemFailure, type ProblemSlug, problemKinds } from '../errors/problems.ts';
import { createLineLimit } from '../log/line-limit.ts';
import type { Logger } from '../log/types.ts';
import type { MalformedRequest } from './connection/client-error.ts';
import { clientHasLeft, type Recorded } from './exchange.ts';
import { traceMembers, traceParentOf } from './request/trace-context.ts';

/** Problems that are not failures. Their status is not enough: the engine's -3101 is a 409 as well. */
const ordinary: ReadonlySet<string | undefined> = new Set<ProblemSlug>([
  'object-not-found',
  'object-exists',
  'precondition-failed',
  'range-not-satisfiable',
]);

/** A coding that the gateway never offered is the client's mistake, although its status is a 5xx. */
const refusal501: ProblemSlug = 'not-implemented';

export interface ExchangeLogSettings {
  readonly accessLog: boolean;
  /** 0: no request is slow. */
  readonly slowRequestMs: number;
  /** Bytes of both bodies together that add a second to `slowRequestMs`. */
  readonly slowRateBytes: number;
}

export interface ExchangeLog {
  write(exchange: Recorded, status: number, durationMs: number): void;
  /** Bytes that are no request; limited like a refusal with the same problem. */
  malformed(malformed: MalformedRequest): void;
  /** Logs the counts of lines that were dropped; call this before the worker ends. */
  flush(): void;
}

/**
 * Logs the requests that failed (5xx as errors, 4xx as information), the slow ones and those whose
 * client disconnected, the batches of which items failed, or all of them with --access-log. The ordinary responses of a cache are no failures:
 * a miss, a duplicate, a failed condition, a range past the end. A few lines are logged for each problem, for
 * defects, for slow requests and for each way in which a client ends its request early, and the number of
 * others, unless --access-log is on: otherwise a client could fill the disk.
 */
export function exchangeLog(
  logger: Logger,
  { accessLog, slowRequestMs, slowRateBytes }: ExchangeLogSettings,
): ExchangeLog {
  const bytesPerMs = slowRateBytes / 1000;
  const limit = createLineLimit((problem, suppressed) => {
    const line = { problem, suppressed };
    if (problem.startsWith(ITEMS)) {
      logger.warn(line, 'items of more batches failed; only the number of batches is logged');
    } else if (problem === SLOW) {
      logger.warn(
        { outcome: problem, suppressed },
        'more requests were slow; only their number is logged',
      );
    } else if (isOfClient(problem)) {
      logger.info(
        { outcome: problem, suppressed },
        'more requests ended in this way; only their number is logged',
      );
    } else if (isRefusal(problem)) {
      logger.info(line, 'more requests were refused; only their number is logged');
    } else logger.error(line, 'more requests failed; only their number is logged');
  });
  const write = (exchange: Recorded, status: number, durationMs: number): void => {
    const bytes = exchange.bytesIn + exchange.bytesOut;
    const slow = slowRequestMs > 0 && durationMs > slowRequestMs + bytes / bytesPerMs;
    const items = failuresOf(exchange.failedItems);
    const failed = status >= 400 && !ordinary.has(exchange.problem);
    const ours = exchange.error !== undefined || (status >= 500 && exchange.problem !== refusal501);
    const left = clientHasLeft(exchange);
    const { cutOff } = exchange;
    const isOrdinary = !failed && !ours && !slow && !left && cutOff === undefined;
    if (isOrdinary && items === undefined && !accessLog) return;
    const shared = failed ? (exchange.problem ?? String(status)) : undefined;
    const ofClient = left ? DISCONNECTED : cutOff === undefined ? undefined : CUT_OFF;
    // The first that holds, in the order of the texts below.
    const kind = shared ?? (ours ? DEFECT : ofClient) ?? (slow ? SLOW : items?.kind);
    if (kind !== undefined && !accessLog && !limit.admits(kind)) return;
    const line = {
      ...lineOf(exchange, status, durationMs),
      ...(items === undefined ? {} : { failedItems: items.counts }),
    };
    if (ours) logger.error(line, 'request failed');
    else if (ofClient !== undefined) logger.info(line, ofClient);
    else if (slow) logger.warn(line, SLOW);
    else if (items !== undefined && !failed) logger.warn(line, 'items of a batch failed');
    else logger.info(line, failed ? 'request refused' : 'request');
  };
  const malformed = (request: MalformedRequest): void => {
    if (accessLog || limit.admits(request.problem)) logger.info(request, 'malformed request');
  };
  return { write, malformed, flush: () => limit.flush() };
}

/** Whether a limited problem is a fault of clients. */
function isRefusal(problem: string): boolean {
  if (problem === refusal501) return true;
  const kinds: Readonly<Record<string, { readonly status: number }>> = problemKinds;
  return (kinds[problem]?.status ?? Number(problem)) < 500;
}

/** Ends of requests that any client can cause as often as it likes. They are kinds of lines, and their texts. */
const DISCONNECTED = 'client disconnected';
const CUT_OFF = 'response cut off: the client reads too slowly';
/** A request with the status of a success, or with none, that a defect has ended. */
const DEFECT = 'defect';
const SLOW = 'slow request';
const isOfClient = (kind: string): boolean => kind === DISCONNECTED || kind === CUT_OFF;

/** Begins the kind of lines about failed items. */
const ITEMS = 'items: ';

/** The failed items with each problem that is a failure, and the kind of their line for its limit. */
function failuresOf(
  failedItems: ReadonlyMap<ItemFailure, number> | undefined,
): { counts: Record<string, number>; kind: string } | undefined {
  if (failedItems === undefined) return undefined;
  const failures = [...failedItems].filter(([slug]) => !ordinary.has(slug));
  if (failures.length === 0) return undefined;
  const counts = Object.fromEntries(failures);
  return { counts, kind: `${ITEMS}${Object.keys(counts).sort().join(', ')}` };
}

const lineOf = (exchange: Recorded, status: number, durationMs: number) => ({
  requestId: exchange.requestId,
  ...traceMembers(exchange.span ?? (exchange.req && traceParentOf(exchange.req.headers))),
  method: exchange.method,
  route: exchange.route,
  status,
  durationMs: Math.round(durationMs * 100) / 100,
  bytesIn: exchange.bytesIn,
  bytesOut: exchange.bytesOut,
  ...(exchange.problem === undefined ? {} : { problem: exchange.problem }),
  ...(exchange.key === '' ? {} : { keyHash: hashedKey(exchange.key) }),
  ...(exchange.clientAddress === undefined ? {} : { client: exchange.clientAddress }),
  ...(exchange.grant?.id === undefined ? {} : { tokenId: exchange.grant.id }),
  ...(exchange.grant?.certificate === undefined ? {} : { certificate: exchange.grant.certificate }),
  ...(exchange.cutOff === undefined ? {} : { reason: exchange.cutOff }),
  ...(exchange.error === undefined ? {} : { err: exchange.error }),
});

/**
 * Keys may contain what users wrote, so a log has only the first 64 bits of their SHA-256:
 * `printf %s "$key" | sha256sum | cut -c1-16` finds the lines of a known key.
 */
export const hashedKey = (key: string): string =>
  createHash('sha256').update(key).digest('hex').slice(0, 16);
