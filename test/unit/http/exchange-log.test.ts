import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import type { Exchange } from '../../../src/http/exchange.ts';
import { exchangeLog, hashedKey } from '../../../src/http/exchange-log.ts';
import {
  defaults,
  exchange,
  logged,
  mebibyte,
  ordinary,
  secret,
} from '../../helpers/http/exchange-lines.ts';

describe('exchangeLog', () => {
  it('has the ids of a valid trace of the client, and those of the span if there is one', () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const spanId = '00f067aa0ba902b7';
    const idsOf = (traceparent: string, changes: Partial<Exchange> = {}) => {
      const req = { url: '/', headers: { traceparent } } as unknown as IncomingMessage;
      const line = logged(503, 1, { req, problem: 'not-ready', ...changes });
      return [line?.['traceId'], line?.['spanId']];
    };
    assert.deepEqual(idsOf(`00-${traceId}-${spanId}-00`), [traceId, spanId]);
    assert.deepEqual(idsOf(`00-${traceId}-${spanId}`), [undefined, undefined]);
    const span = { traceId, spanId: 'b7ad6b7169203331', end: () => {} };
    assert.deepEqual(idsOf('', { span }), [traceId, span.spanId]);
  });

  it('logs no ordinary request, including the misses and conflicts of a cache', () => {
    for (const status of [200, 201, 204, 206, 304]) {
      assert.equal(logged(status, 1000), undefined, String(status));
    }
    for (const problem of ordinary) {
      const { status } = problemKinds[problem];
      assert.equal(logged(status, 1000, { problem }), undefined, problem);
    }
  });

  for (const problem of Object.keys(problemKinds) as ProblemSlug[]) {
    if (ordinary.includes(problem)) continue;
    it(`logs each request that failed with ${problem}`, () => {
      const { status } = problemKinds[problem];
      const line = logged(status, 1, { problem });
      const isOurs = status >= 500 && problem !== 'not-implemented';
      assert.equal(line?.['msg'], isOurs ? 'request failed' : 'request refused');
      assert.equal(line['level'], isOurs ? 50 : 30);
      assert.equal(line['problem'], problem);
    });
  }

  it('also logs a failure without a problem', () => {
    assert.equal(logged(404, 1)?.['msg'], 'request refused');
    assert.equal(logged(501, 1)?.['msg'], 'request failed');
  });

  it('logs a request slower than the limit, but not one at the limit', () => {
    assert.equal(logged(200, 1000), undefined);
    const line = logged(200, 1000.01);
    assert.equal(line?.['level'], 40);
    assert.equal(line?.['msg'], 'slow request');
    assert.equal(logged(404, 2000, { problem: 'object-not-found' })?.['msg'], 'slow request');
    assert.equal(logged(200, 1e9, {}, { ...defaults, slowRequestMs: 0 }), undefined);
  });

  it('allows one more second for the bytes of --slow-rate-bytes, in either direction', () => {
    const batch = { route: '/v1/batch/get', key: '' } as const;
    for (const [slowRateBytes, bytes] of [
      [100 * mebibyte, { bytesIn: 150 * mebibyte, bytesOut: 50 * mebibyte }],
      [mebibyte, { bytesIn: 0, bytesOut: 2 * mebibyte }],
      [mebibyte, { bytesIn: 2 * mebibyte, bytesOut: 0, ...batch }],
      [1024, { bytesIn: 1024, bytesOut: 1024 }],
    ] as const) {
      const settings = { ...defaults, slowRateBytes };
      assert.equal(logged(200, 3000, bytes, settings), undefined);
      assert.equal(logged(200, 3000.1, bytes, settings)?.['msg'], 'slow request');
    }
  });

  it('logs the items of a batch that failed, by problem, without those of an ordinary cache', () => {
    const failedItems = new Map<ProblemSlug, number>([
      ['object-not-found', 7],
      ['no-room', 2],
      ['engine-timeout', 1],
    ]);
    const line = logged(200, 1, { failedItems });
    assert.deepEqual([line?.['msg'], line?.['level']], ['items of a batch failed', 40]);
    assert.deepEqual(line?.['failedItems'], { 'no-room': 2, 'engine-timeout': 1 });
    const misses = new Map<ProblemSlug, number>([['object-not-found', 7]]);
    assert.equal(logged(200, 1, { failedItems: misses }), undefined);
  });

  it('logs ten lines about failed items in a window, then their number', () => {
    const lines: string[] = [];
    const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
    const log = exchangeLog(logger, defaults);
    const failedItems = new Map<ProblemSlug, number>([['no-room', 1]]);
    for (let at = 0; at < 15; at += 1) log.write(exchange({ failedItems }), 200, 1);
    assert.equal(lines.length, 10);
    log.flush();
    assert.match(String(lines.at(-1)), /"problem":"items: no-room","suppressed":5/);
  });

  it('logs a client that disconnected', () => {
    const res = { headersSent: false } as ServerResponse;
    // However long it had waited, and whatever the result of its request was.
    for (const durationMs of [1, 1e6]) {
      const line = logged(0, durationMs, { res });
      assert.deepEqual([line?.['msg'], line?.['level']], ['client disconnected', 30]);
    }
    const broken = { headersSent: true, destroyed: true, writableFinished: false };
    assert.equal(logged(200, 1, { res: broken as ServerResponse })?.['msg'], 'client disconnected');
  });

  it('distinguishes a client that read too slowly from one that disconnected', () => {
    const res = { headersSent: true, destroyed: true, writableFinished: false } as ServerResponse;
    const line = logged(200, 1, { res, cutOff: 'no byte moved for 300 ms' });
    assert.equal(line?.['msg'], 'response cut off: the client reads too slowly');
    assert.equal(line?.['reason'], 'no byte moved for 300 ms');
  });

  it('logs a defect with its stack, whatever the status is', () => {
    for (const status of [0, 200, 500]) {
      const line = logged(status, 1, { error: new Error('a defect') });
      assert.equal(line?.['level'], 50);
      assert.match(JSON.stringify(line?.['err']), /a defect.*exchange-log\.test/);
    }
  });

  it('logs every request with --access-log', () => {
    const settings = { ...defaults, accessLog: true };
    assert.equal(logged(200, 1, {}, settings)?.['msg'], 'request');
    assert.equal(logged(404, 1, { problem: 'object-not-found' }, settings)?.['msg'], 'request');
    assert.equal(logged(400, 1, {}, settings)?.['msg'], 'request refused');
  });

  it('logs request, route and numbers, and only the hash of the key', () => {
    const line = logged(503, 12.3456);
    assert.deepEqual(Object.keys(line ?? {}).sort(), [
      'bytesIn',
      'bytesOut',
      'durationMs',
      'hostname',
      'keyHash',
      'level',
      'method',
      'msg',
      'pid',
      'requestId',
      'route',
      'status',
      'time',
    ]);
    assert.equal(line?.['durationMs'], 12.35);
    assert.equal(line?.['route'], '/v1/objects/{key}');
    const digest = createHash('sha256').update(secret).digest('hex');
    assert.equal(line?.['keyHash'], digest.slice(0, 16));
    assert.equal(hashedKey(secret), digest.slice(0, 16));
    assert.equal('keyHash' in (logged(503, 1, { key: '' }) ?? {}), false);
  });
});
