import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { traceMembers, traceParentOf } from '../../../../src/http/request/trace-context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const parse = (traceparent: string) => traceParentOf({ traceparent });

describe('traceparent', () => {
  it('has the trace and the span of the client, and whether the client records them', () => {
    assert.deepEqual(parse(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true });
    assert.deepEqual(parse(`00-${traceId}-${spanId}-00`), { traceId, spanId, isSampled: false });
    assert.equal(parse(`00-${traceId}-${spanId}-fe`)?.isSampled, false);
    assert.equal(parse(`00-${traceId}-${spanId}-ff`)?.isSampled, true);
  });

  it('of a later version may have more members', () => {
    for (const more of ['', '-', '-more', '-more-and-more']) {
      assert.deepEqual(parse(`01-${traceId}-${spanId}-01${more}`)?.traceId, traceId, more);
    }
    assert.equal(parse(`01-${traceId}-${spanId}-01more`), undefined);
  });

  it('is ignored when it is invalid in any way', () => {
    const zeros = (length: number) => '0'.repeat(length);
    for (const nonsense of [
      '',
      '00',
      `00-${traceId}-${spanId}`,
      `00-${traceId}-${spanId}-1`,
      `00-${traceId}-${spanId}-011`,
      `00-${traceId}-${spanId}-01-`,
      `00-${traceId}-${spanId}-0g`,
      `ff-${traceId}-${spanId}-01`,
      `0-${traceId}-${spanId}-01`,
      `00-${zeros(32)}-${spanId}-01`,
      `00-${traceId}-${zeros(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId.slice(1)}-${spanId}-01`,
      `00-${traceId}0-${spanId}-01`,
      `00_${traceId}_${spanId}_01`,
      ` 00-${traceId}-${spanId}-01`,
      `00-${traceId}-${spanId}-01\n`,
      `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    ]) {
      assert.equal(parse(nonsense), undefined, JSON.stringify(nonsense));
    }
    assert.equal(traceParentOf({}), undefined);
    assert.equal(traceParentOf({ traceparent: [`00-${traceId}-${spanId}-01`] }), undefined);
  });

  it('gives a log line its two ids and nothing else', () => {
    assert.deepEqual(traceMembers(parse(`00-${traceId}-${spanId}-01`)), { traceId, spanId });
    assert.deepEqual(traceMembers(undefined), {});
  });
});
