/** The trace of a request, as its client sends it (W3C Trace Context, https://www.w3.org/TR/trace-context/). */
import type { IncomingHttpHeaders } from 'node:http';

/** The ids of a span: 32 and 16 hexadecimal digits in lower case, neither of them zero. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

export interface TraceParent extends SpanIds {
  /** Whether the client records its trace. */
  readonly isSampled: boolean;
}

const VERSION_0 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** A later version may append members; ff is no version (§3.2.2). */
const LATER = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const ZERO = /^0+$/;
const SAMPLED = 1;

/**
 * The span of the client that sent the request. Undefined without `traceparent`, and when it is invalid:
 * a request must not fail because of its trace. Node joins several headers into an invalid one.
 */
export function traceParentOf(headers: IncomingHttpHeaders): TraceParent | undefined {
  const header = headers['traceparent'];
  if (typeof header !== 'string') return undefined;
  const [, traceId, spanId, flags] = VERSION_0.exec(header) ?? LATER.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (ZERO.test(traceId) || ZERO.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

/** The members of a log line about the request; none without a trace. */
export function traceMembers(ids: SpanIds | undefined): SpanIds | Record<string, never> {
  return ids === undefined ? {} : { traceId: ids.traceId, spanId: ids.spanId };
}
