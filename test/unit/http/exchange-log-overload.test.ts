import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import { exchangeLog } from '../../../src/http/exchange-log.ts';
import { defaults, exchange, ordinary } from '../../helpers/http/exchange-lines.ts';

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
