/**
 * Spans of requests and of their engine calls, for the SDK that the operator has loaded. The names follow the
 * semantic conventions of OpenTelemetry for HTTP servers. No attribute contains a key: `url.path`, which the
 * conventions ask for, is left out.
 */
import type { IncomingMessage } from 'node:http';
import {
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { Exchange, Recorded, RequestSpan } from '../http/exchange.ts';
import { hashedKey } from '../http/exchange-log.ts';
import { traceParentOf } from '../http/request/trace-context.ts';
import { isEncrypted } from '../node-internals/node-features.ts';
import { beginTracing, type CallTrace, type TracedCall } from '../scheduler/call-trace.ts';

export interface Tracing {
  /** Starts the span of a request. Returns the trace that records its engine calls below the span. */
  begin(exchange: Exchange): CallTrace;
  /** Sends the spans that the SDK still holds; gives up after `deadlineMs`. */
  flush(deadlineMs: number): Promise<void>;
}

const METHODS: ReadonlySet<string> = new Set(
  'GET HEAD PUT DELETE POST PATCH OPTIONS CONNECT TRACE'.split(' '),
);

export function createTracing(provider: TracerProvider): Tracing {
  const tracer = provider.getTracer('memcache-gateway');
  // For as long as the process runs: a call may end after its request.
  beginTracing();
  return {
    begin(exchange) {
      const parent = parentOf(exchange.req);
      const span = startSpan(tracer, exchange, parent);
      exchange.span = new ServerSpan(span);
      const context = trace.setSpan(parent, span);
      let waitedMs = 0;
      return {
        ended: (call) => recordCall(tracer, call, context),
        waited(durationMs) {
          waitedMs += durationMs;
          span.setAttribute('memcache_gateway.arena_wait_duration', waitedMs / 1000);
        },
      };
    },
    flush: (deadlineMs) => flush(provider, deadlineMs),
  };
}

/** The span of the client; the sampler of the operator decides by its flag. */
function parentOf({ headers }: IncomingMessage): Context {
  const parent = traceParentOf(headers);
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const { tracestate } = headers;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    // The API drops members that are invalid.
    ...(typeof tracestate === 'string' ? { traceState: createTraceState(tracestate) } : {}),
  });
}

function startSpan(tracer: Tracer, { req, method, requestId }: Exchange, parent: Context): Span {
  const isKnown = METHODS.has(method);
  const attributes: Attributes = {
    'http.request.method': isKnown ? method : '_OTHER',
    ...(isKnown ? {} : { 'http.request.method_original': method }),
    'url.scheme': isEncrypted(req.socket) ? 'https' : 'http',
    'network.protocol.version': req.httpVersion,
    'memcache_gateway.request_id': requestId,
  };
  return tracer.startSpan(isKnown ? method : 'HTTP', { kind: SpanKind.SERVER, attributes }, parent);
}

class ServerSpan implements RequestSpan {
  readonly #span: Span;
  readonly traceId: string;
  readonly spanId: string;

  constructor(span: Span) {
    this.#span = span;
    ({ traceId: this.traceId, spanId: this.spanId } = span.spanContext());
  }

  /** `status` is 0 when the connection closed before a response. */
  end(exchange: Recorded, status: number): void {
    const span = this.#span;
    if (span.isRecording()) {
      const { method, route, key, bytesIn, bytesOut, problem, error } = exchange;
      if (route !== 'other' && METHODS.has(method)) span.updateName(`${method} ${route}`);
      span.setAttributes({
        ...(route === 'other' ? {} : { 'http.route': route }),
        ...(status === 0 ? {} : { 'http.response.status_code': status }),
        'http.request.body.size': bytesIn,
        'http.response.body.size': bytesOut,
        ...(key === '' ? {} : { 'memcache_gateway.key_hash': hashedKey(key) }),
        ...(problem === undefined ? {} : { 'memcache_gateway.problem': problem }),
      });
      const isFault = status >= 500 || error !== undefined;
      if (isFault || status === 0) {
        span.setAttribute('error.type', problem ?? (status === 0 ? 'aborted' : String(status)));
      }
      // The conventions leave the status of a server span unset when the client made the fault.
      if (isFault) span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}

/** From the arrival of the request at the scheduler to its result, with its time in the queue. */
function recordCall(tracer: Tracer, call: TracedCall, context: Context): void {
  const { operation, submittedMs, sentMs, endedMs, requests, error } = call;
  const span = tracer.startSpan(
    `engine ${operation}`,
    {
      kind: SpanKind.INTERNAL,
      startTime: epochMs(submittedMs),
      attributes: {
        'memcache_gateway.engine.operation': operation,
        'memcache_gateway.engine.queue_duration': ((sentMs ?? endedMs) - submittedMs) / 1000,
        'memcache_gateway.engine.requests': requests,
        ...(error === undefined ? {} : { 'error.type': error.name }),
      },
    },
    context,
  );
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  span.end(epochMs(endedMs));
}

const epochMs = (sinceOriginMs: number): number => performance.timeOrigin + sinceOriginMs;

interface Flushing {
  readonly getDelegate?: () => object;
  readonly forceFlush?: () => Promise<void>;
}

/** The API has no flush, but providers of SDKs do. A worker ends without the exit handlers of an SDK. */
async function flush(provider: TracerProvider, deadlineMs: number): Promise<void> {
  const registered = provider as Flushing;
  const delegate = (registered.getDelegate?.() ?? registered) as Flushing;
  if (typeof delegate.forceFlush !== 'function') return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([delegate.forceFlush().catch(() => undefined), late]);
  clearTimeout(timer);
}
