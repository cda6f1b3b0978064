import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shortRequest } from '../../../src/log/short-request.ts';

const line = {
  ...{ level: 'info', time: 'now', pid: 7, device: 0, requestId: 'r-1', method: 'GET' },
  ...{ route: '/v1/objects/{key}', status: 200, durationMs: 1.24, bytesIn: 0, bytesOut: 8_600_000 },
  ...{ keyHash: 'ab', msg: 'request' },
};
const shortened = (changes: object = {}) =>
  JSON.parse(shortRequest(`${JSON.stringify({ ...line, ...changes })}\n`)) as Record<
    string,
    unknown
  >;

describe('the line of a request on a terminal', () => {
  it('is a short text without ids', () => {
    assert.deepEqual(shortened(), {
      ...{ level: 'info', time: 'now', pid: 7, device: 0 },
      msg: 'GET /v1/objects/{key} 200, 1.2 ms, 0 B in, 8.6 MB out',
    });
  });

  it('keeps the message, the problem and the ids of one that failed', () => {
    const failed = shortened({ msg: 'request failed', status: 503, problem: 'arena-full' });
    assert.equal(
      failed['msg'],
      'request failed: GET /v1/objects/{key} 503, 1.2 ms, 0 B in, 8.6 MB out',
    );
    assert.deepEqual(
      [failed['problem'], failed['requestId'], failed['keyHash']],
      ['arena-full', 'r-1', 'ab'],
    );
  });

  it('says that there was no response', () => {
    const text = shortened({ msg: 'client disconnected', status: 0 })['msg'];
    assert.match(String(text), /^client disconnected: GET \S+ no response, /);
  });

  it('has bytes with the unit that fits', () => {
    for (const [bytes, text] of [
      [999, '999 B'],
      [1000, '1.0 kB'],
      [999_949, '999.9 kB'],
      [999_950, '1.0 MB'],
      [5e12, '5.0 TB'],
      [5e15, '5000.0 TB'],
    ] as const) {
      assert.match(String(shortened({ bytesIn: bytes })['msg']), new RegExp(`, ${text} in, `));
    }
  });
});

describe('another line', () => {
  it('stays as it is', () => {
    const other = '{"level":"info","msg":"ready"}\n';
    assert.equal(shortRequest(other), other);
  });
});
