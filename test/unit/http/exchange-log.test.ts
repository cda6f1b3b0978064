import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import { createConnectionStates } from '../../../src/http/connection/connection-state.ts';
import type { Exchange, Gateway } from '../../../src/http/exchange.ts';
import {
  type ExchangeLogSettings,
  exchangeLog,
  hashedKey,
} from '../../../src/http/exchange-log.ts';
import { nothing } from '../../../src/http/security/grant.ts';

const ordinary: readonly ProblemSlug[] = [
  'object-not-found',
  'object-exists',
  'precondition-failed',
  'range-not-satisfiable',
];
const mebibyte = 1 << 20;
const defaults = { accessLog: false, slowRequestMs: 1000, slowRateBytes: 100 * mebibyte };
const secret = 'users/42/a question nobody should read';

function exchange(changes: Partial<Exchange> = {}): Exchange {
  return {
    gateway: {} as Gateway,
    query: '',
    req: { url: `/v1/objects/${encodeURIComponent(secret)}`, headers: {} } as IncomingMessage,
    res: { headersSent: true } as ServerResponse,
    connection: createConnectionStates().of({}),
    requestId: 'r-1',
    startedMs: 0,
    method: 'GET',
    grant: nothing,
    clientAddress: undefined,
    client: undefined,
    allowedOrigin: undefined,
    route: '/v1/objects/{key}',
    key: secret,
    expectsContinue: false,
    bodyFault: undefined,
    body: undefined,
    bytesIn: 3,
    bytesOut: 4,
    ended: true,
    problem: undefined,
    error: undefined,
    span: undefined,
    timing: undefined,
    ...changes,
  };
}

/** The log line of one exchange; undefined if there is none. */
function logged(
  status: number,
  durationMs: number,
  changes: Partial<Exchange> = {},
  settings: ExchangeLogSettings = defaults,
) {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  exchangeLog(logger, settings).write(exchange(changes), status, durationMs);
  assert.ok(lines.length <= 1, 'one line at most');
  for (const line of lines) assert.doesNotMatch(line, /question|nobody|users/);
  return lines[0] === undefined ? undefined : (JSON.parse(lines[0]) as Record<string, unknown>);
}

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

describe('exchangeLog in an overload', () => {
  function flooded(accessLog: boolean) {
    const lines: Record<string, unknown>[] = [];
    const logger = pino(
      { level: 'trace' },
      { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const log = exchangeLog(logger, { ...defaults, accessLog, slowRequestMs: 0 });
    for (let i = 0; i < 500; i++) {
      log.write(exchange({ problem: 'no-room' }), 507, 1);
      if (i < 100) log.write(exchange({ problem: 'arena-full' }), 503, 1);
      if (i < 10) log.write(exchange({ problem: 'not-ready' }), 503, 1);
      if (i < 20) log.write(exchange({ problem: 'engine-timeout' }), 504, 1);
      if (i < 30) log.write(exchange({ problem: 'token-invalid' }), 401, 1);
    }
    const of = (problem: string) => {
      const found = lines.filter((line) => line['problem'] === problem);
      const counted = found.filter((line) => line['suppressed'] !== undefined);
      const suppressed = counted.reduce((sum, line) => sum + Number(line['suppressed']), 0);
      return { lines: found.length - counted.length, counts: counted.length, suppressed };
    };
    const levelOf = (problem: string) =>
      lines.find((line) => line['problem'] === problem && line['suppressed'] !== undefined)?.[
        'level'
      ];
    return { log, of, levelOf };
  }

  it('writes ten lines of each problem, and one with the number of the others', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log, of, levelOf } = flooded(false);
    assert.deepEqual(of('no-room'), { lines: 10, counts: 0, suppressed: 0 });
    t.mock.timers.tick(10_000);
    assert.deepEqual(of('no-room'), { lines: 10, counts: 1, suppressed: 490 });
    assert.deepEqual(of('arena-full'), { lines: 10, counts: 1, suppressed: 90 });
    assert.deepEqual(of('not-ready'), { lines: 10, counts: 0, suppressed: 0 });
    assert.deepEqual(of('engine-timeout'), { lines: 10, counts: 1, suppressed: 10 });
    assert.deepEqual(of('token-invalid'), { lines: 10, counts: 1, suppressed: 20 });
    assert.deepEqual([levelOf('no-room'), levelOf('token-invalid')], [50, 30]);
    log.write(exchange({ problem: 'no-room' }), 507, 1);
    assert.equal(of('no-room').lines, 11, 'a new window has begun');
    t.mock.timers.tick(10_000);
    assert.equal(of('no-room').counts, 1, 'a window that left out nothing says nothing');
  });

  it('limits the lines about bytes that are no request, unless --access-log is on', () => {
    for (const accessLog of [false, true]) {
      const lines: string[] = [];
      const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
      const log = exchangeLog(logger, { ...defaults, accessLog });
      const problem = 'malformed-request';
      for (let i = 0; i < 40; i++) log.malformed({ requestId: `r-${i}`, error: 'HPE', problem });
      assert.equal(lines.length, accessLog ? 40 : 10);
      log.flush();
      const suppressed = lines.filter((line) => /"suppressed":30/.test(line));
      assert.equal(suppressed.length, accessLog ? 0 : 1);
    }
  });

  it('limits the lines about clients that disconnect or read too slowly, and those of defects', () => {
    const gone = { headersSent: true, destroyed: true, writableFinished: false } as ServerResponse;
    for (const [changes, outcome] of [
      [{ res: gone }, 'client disconnected'],
      [{ res: gone, cutOff: 'too slow' }, 'response cut off: the client reads too slowly'],
      [{ res: gone, error: new Error('a defect') }, 'defect'],
    ] as const) {
      for (const accessLog of [false, true]) {
        const lines: string[] = [];
        const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
        const log = exchangeLog(logger, { ...defaults, accessLog });
        for (let i = 0; i < 10; i++) log.write(exchange(changes), 200, 1);
        log.flush();
        assert.equal(lines.length, 10);
        for (let i = 0; i < 11; i++) log.write(exchange(changes), 200, 1);
        log.flush();
        assert.equal(lines.length, 21);
        const last = JSON.parse(String(lines.at(-1))) as Record<string, unknown>;
        const counted = [last['level'], last['outcome'] ?? last['problem'], last['suppressed']];
        assert.deepEqual(counted.slice(1), accessLog ? [undefined, undefined] : [outcome, 1]);
        assert.equal(counted[0], outcome === 'defect' ? 50 : 30);
      }
    }
  });

  it('limits the lines of every failure and of slow requests, and says how many it left out', () => {
    const kinds = (Object.keys(problemKinds) as ProblemSlug[])
      .filter((problem) => !ordinary.includes(problem))
      .map((problem) => ({ changes: { problem }, status: problemKinds[problem].status, ms: 1 }));
    for (const { changes, status, ms } of [
      ...kinds,
      { changes: { error: new Error('a defect') }, status: 500, ms: 1 },
      { changes: {}, status: 200, ms: 1001 },
      { changes: { problem: 'object-not-found' as const }, status: 404, ms: 1001 },
    ]) {
      const lines: Record<string, unknown>[] = [];
      const logger = pino(
        { level: 'trace' },
        { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
      );
      const log = exchangeLog(logger, defaults);
      for (let i = 0; i < 10; i++) log.write(exchange(changes), status, ms);
      const what = `${status} ${JSON.stringify(changes)}`;
      assert.deepEqual(
        lines.map((line) => line['suppressed']),
        Array(10).fill(undefined),
        what,
      );
      for (let i = 0; i < 7; i++) log.write(exchange(changes), status, ms);
      assert.equal(lines.length, 10, what);
      log.flush();
      assert.equal(lines.length, 11, what);
      assert.equal(lines[10]?.['suppressed'], 7, what);
      assert.equal(lines[10]?.['level'], lines[0]?.['level'], what);
    }
  });

  it('writes the counts at once when the worker ends', () => {
    const { log, of } = flooded(false);
    log.flush();
    assert.deepEqual(of('no-room'), { lines: 10, counts: 1, suppressed: 490 });
    log.flush();
    assert.equal(of('no-room').counts, 1);
  });

  it('writes every line with --access-log', () => {
    const { log, of } = flooded(true);
    log.flush();
    assert.deepEqual(of('no-room'), { lines: 500, counts: 0, suppressed: 0 });
  });
});
