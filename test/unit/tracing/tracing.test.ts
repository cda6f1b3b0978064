import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { createConnectionStates } from '../../../src/http/connection/connection-state.ts';
import { type Exchange, type Gateway, newExchange } from '../../../src/http/exchange.ts';
import { hashedKey } from '../../../src/http/exchange-log.ts';
import type { SyncCalls } from '../../../src/native/abi/types.ts';
import { CallQueue, type PendingCall, unsubmitted } from '../../../src/scheduler/call-queue.ts';
import { runTraced } from '../../../src/scheduler/call-trace.ts';
import { Dispatcher } from '../../../src/scheduler/dispatcher.ts';
import { tracedSyncCalls } from '../../../src/scheduler/traced-sync-calls.ts';
import { createTracing } from '../../../src/tracing/tracing.ts';
import { until } from '../../helpers/process/until.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;

/** Tracing whose finished spans the test reads. */
function tracingOf(options: ConstructorParameters<typeof TracerProvider>[0] = {}) {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  const provider = new TracerProvider({ ...options, spanProcessors });
  return { tracing: createTracing(provider), spans: () => exporter.getFinishedSpans() };
}

function exchangeOf(headers: IncomingHttpHeaders = {}, method = 'GET'): Exchange {
  const req = { headers, method, socket: {}, httpVersion: '1.1' } as unknown as IncomingMessage;
  const res = {} as ServerResponse;
  return newExchange({} as Gateway, req, res, createConnectionStates().of({}), false);
}

/** A request that has ended with a status. */
function served(exchange: Exchange, status: number, changes: Partial<Exchange> = {}) {
  const { tracing, spans } = tracingOf();
  runTraced(tracing.begin(exchange), () => Object.assign(exchange, changes));
  exchange.span?.end(exchange, status);
  const [span] = spans();
  assert.ok(span !== undefined && spans().length === 1);
  return span;
}

describe('the span of a request', () => {
  it('continues the trace of the client, with its state', () => {
    const exchange = exchangeOf({ traceparent, tracestate: 'vendor=1,other=2, =bad' });
    const span = served(exchange, 200);
    assert.equal(span.spanContext().traceId, traceId);
    assert.equal(span.parentSpanContext?.spanId, spanId);
    assert.equal(span.parentSpanContext?.isRemote, true);
    assert.equal(span.spanContext().traceState?.serialize(), 'vendor=1,other=2');
    assert.deepEqual(
      [exchange.span?.traceId, exchange.span?.spanId],
      [traceId, span.spanContext().spanId],
    );
  });

  it('begins a trace of its own without traceparent, and with an invalid one', () => {
    for (const headers of [{}, { traceparent: traceparent.slice(1), tracestate: 'vendor=1' }]) {
      const span = served(exchangeOf(headers), 200);
      assert.equal(span.parentSpanContext, undefined);
      assert.notEqual(span.spanContext().traceId, traceId);
      assert.equal(span.spanContext().traceState, undefined);
    }
  });

  it('has the attributes of the conventions for HTTP servers, and the hash of the key', () => {
    const key = 'users/42/secret';
    const route = '/v1/objects/{key}';
    const span = served(exchangeOf(), 200, { key, route, bytesIn: 3, bytesOut: 4 });
    assert.equal(span.name, 'GET /v1/objects/{key}');
    assert.equal(span.kind, SpanKind.SERVER);
    const { 'memcache_gateway.request_id': requestId, ...attributes } = span.attributes;
    assert.match(String(requestId), /./);
    assert.deepEqual(attributes, {
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'network.protocol.version': '1.1',
      'http.route': route,
      'http.response.status_code': 200,
      'http.request.body.size': 3,
      'http.response.body.size': 4,
      'memcache_gateway.key_hash': hashedKey(key),
    });
    assert.equal(span.status.code, SpanStatusCode.UNSET);
    assert.doesNotMatch(JSON.stringify([span.name, span.attributes, span.events]), /secret|users/);
  });

  it('is an error for a fault of the gateway, and not for one of the client', () => {
    const route = '/v1/objects/{key}';
    const missing = served(exchangeOf(), 404, { route, problem: 'object-not-found' });
    assert.equal(missing.status.code, SpanStatusCode.UNSET);
    assert.equal(missing.attributes['error.type'], undefined);
    const full = served(exchangeOf(), 507, { route, problem: 'no-room' });
    assert.equal(full.status.code, SpanStatusCode.ERROR);
    assert.equal(full.attributes['error.type'], 'no-room');
    const left = served(exchangeOf(), 0, { route });
    assert.equal(left.status.code, SpanStatusCode.UNSET);
    assert.equal(left.attributes['error.type'], 'aborted');
    assert.equal(left.attributes['http.response.status_code'], undefined);
  });

  it('has the waits for memory, added up', () => {
    const { tracing, spans } = tracingOf();
    const exchange = exchangeOf();
    const trace = tracing.begin(exchange);
    trace.waited(20);
    trace.waited(30);
    exchange.span?.end(exchange, 200);
    assert.equal(spans()[0]?.attributes['memcache_gateway.arena_wait_duration'], 0.05);
    assert.equal(
      served(exchangeOf(), 200).attributes['memcache_gateway.arena_wait_duration'],
      undefined,
    );
  });

  it('names neither an unknown path nor an unknown method', () => {
    assert.equal(served(exchangeOf(), 404).name, 'GET');
    const span = served(exchangeOf({}, 'BREW'), 405, { route: '/livez' });
    assert.equal(span.name, 'HTTP');
    assert.equal(span.attributes['http.request.method'], '_OTHER');
    assert.equal(span.attributes['http.request.method_original'], 'BREW');
  });

  it('is not recorded when the sampler says so, but has ids for the log', () => {
    const { tracing, spans } = tracingOf({ sampler: new AlwaysOffSampler() });
    const exchange = exchangeOf({ traceparent });
    runTraced(tracing.begin(exchange), () => {});
    exchange.span?.end(exchange, 200);
    assert.equal(spans().length, 0);
    assert.equal(exchange.span?.traceId, traceId);
  });
});

interface TestCall extends PendingCall {
  readonly resolve: () => void;
}

/** A dispatcher with one call at a time, which returns when the test says so. */
function dispatcherOf(deadlineMs = 10_000) {
  const dispatcher = new Dispatcher({ slots: 4, substitutes: 0, deadlineMs });
  const returns: ((error?: Error) => void)[] = [];
  const queue = dispatcher.register(
    new CallQueue<TestCall>({
      ...{ operation: 'get', quota: 1, maxRequests: 10, maxBytes: 1000 },
      send: () =>
        new Promise((resolve, reject) => {
          returns.push((error) =>
            error === undefined ? resolve((call) => call.resolve()) : reject(error),
          );
        }),
    }),
  );
  const submit = (operation?: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const named = operation === undefined ? {} : { operation };
      dispatcher.submit(queue, { bytes: 1, resolve, reject, ...unsubmitted, ...named });
    });
  const give = async (error?: Error) => {
    while (returns.length === 0) await nextTurn();
    returns.shift()?.(error);
    await nextTurn();
  };
  return { submit, give };
}

describe('the span of an engine call', () => {
  it('is a child of its own request, with its time in the queue, also when requests share a call', async () => {
    const { tracing, spans } = tracingOf();
    const { submit, give } = dispatcherOf();
    const [first, second, third] = [exchangeOf(), exchangeOf(), exchangeOf()];
    const ended: Promise<void>[] = [];
    // The engine call of a request is made later, after other work of the request.
    const serve = (exchange: Exchange) =>
      runTraced(tracing.begin(exchange), () => void ended.push(nextTurn().then(() => submit())));
    serve(first);
    await nextTurn();
    await nextTurn();
    serve(second);
    serve(third);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await give();
    await give();
    await Promise.all(ended);
    const all = spans();
    assert.deepEqual(
      all.map(({ name, kind, parentSpanContext: parent }) => [name, kind, parent?.spanId]),
      [first, second, third].map(({ span }) => ['engine get', SpanKind.INTERNAL, span?.spanId]),
    );
    const of = (name: string) => all.map(({ attributes }) => Number(attributes[name]));
    assert.deepEqual(of('memcache_gateway.engine.requests'), [1, 2, 2]);
    const [alone = 1, ...queued] = of('memcache_gateway.engine.queue_duration');
    assert.ok(alone < 0.02, String(alone));
    for (const [at, span] of all.slice(1).entries()) {
      const seconds = span.duration[0] + span.duration[1] / 1e9;
      assert.ok(
        (queued[at] ?? 0) >= 0.02 && (queued[at] ?? 0) <= seconds,
        `${queued} of ${seconds}`,
      );
    }
  });

  it('has the name of the operation and the error of the engine', async () => {
    const { tracing, spans } = tracingOf();
    const { submit, give } = dispatcherOf();
    let failed: Promise<void> = Promise.resolve();
    runTraced(tracing.begin(exchangeOf()), () => {
      failed = submit('batch_get');
    });
    const rejection = assert.rejects(failed, /broken/);
    await give(new TypeError('broken'));
    await rejection;
    const [span] = spans();
    assert.equal(span?.name, 'engine batch_get');
    assert.deepEqual(span?.status, { code: SpanStatusCode.ERROR, message: 'broken' });
    assert.equal(span?.attributes['error.type'], 'TypeError');
  });

  it('of a request that fails in the queue has been in the queue all the time', async () => {
    const { tracing, spans } = tracingOf();
    const { submit, give } = dispatcherOf(50);
    const hanging = assert.rejects(submit());
    await nextTurn();
    await nextTurn();
    let late: Promise<void> = Promise.resolve();
    runTraced(tracing.begin(exchangeOf()), () => {
      late = submit();
    });
    const rejections = [hanging, assert.rejects(late)];
    // The timers of the dispatcher keep no process alive.
    await until(() => spans().length === 1);
    await Promise.all(rejections);
    await give();
    const [span] = spans();
    const { attributes, duration } = span ?? assert.fail('no span');
    const queued = Number(attributes['memcache_gateway.engine.queue_duration']);
    assert.ok(Math.abs(queued - (duration[0] + duration[1] / 1e9)) < 0.001);
    assert.equal(attributes['memcache_gateway.engine.requests'], 0);
  });

  it('does not exist for calls of the gateway itself', async () => {
    const { spans } = tracingOf();
    const { submit, give } = dispatcherOf();
    const own = submit();
    await give();
    await own;
    assert.equal(spans().length, 0);
  });

  it('on the JavaScript thread has no time in the queue, and none when the engine has done nothing', () => {
    const { tracing, spans } = tracingOf();
    const codes: (number | undefined)[] = [0, undefined];
    const sync = { exist: () => codes.shift() } as unknown as SyncCalls;
    const traced = tracedSyncCalls(sync);
    runTraced(tracing.begin(exchangeOf()), () => {
      assert.equal(traced.exist('a'), 0);
      assert.equal(traced.exist('a'), undefined);
    });
    assert.deepEqual(
      spans().map(({ name, attributes }) => [
        name,
        attributes['memcache_gateway.engine.queue_duration'],
      ]),
      [['engine exist', 0]],
    );
  });
});

describe('the end of a worker', () => {
  const flushed = (forceFlush: () => Promise<void>) => {
    const provider = Object.assign(new TracerProvider(), { forceFlush });
    return createTracing(provider);
  };

  it('waits until the SDK has sent its spans, and only for a limited time', async () => {
    let flushes = 0;
    await flushed(() => {
      flushes += 1;
      return Promise.resolve();
    }).flush(1000);
    assert.equal(flushes, 1);
    await flushed(() => Promise.reject(new Error('no collector'))).flush(1000);
    await flushed(() => new Promise(() => {})).flush(10);
    const provider = new TracerProvider();
    const getTracer = (name: string) => provider.getTracer(name);
    await createTracing({ getTracer }).flush(1000);
  });
});
