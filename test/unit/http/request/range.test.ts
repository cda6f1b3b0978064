import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRange } from '../../../../src/http/request/range.ts';

/** RFC 9110 §14.1.2 with whole numbers of any size, computed byte by byte. */
function reference(header: string, length: number): number[] | 'unsatisfiable' | undefined {
  const [unit = '', set, ...rest] = header.split('=');
  if (set === undefined || rest.length > 0 || unit.toLowerCase() !== 'bytes') return undefined;
  const parts = set.split('-');
  if (parts.length !== 2 || parts.some((part) => /\D/.test(part))) return undefined;
  const [first, last] = parts as [string, string];
  if (first === '' && last === '') return undefined;
  const positions = Array.from({ length }, (_, at) => BigInt(at));
  let chosen: bigint[];
  if (first === '') {
    chosen = positions.filter((at) => at >= BigInt(length) - BigInt(last));
  } else {
    if (last !== '' && BigInt(last) < BigInt(first)) return undefined;
    chosen = positions.filter((at) => at >= BigInt(first) && (last === '' || at <= BigInt(last)));
  }
  return chosen.length === 0 ? 'unsatisfiable' : chosen.map(Number);
}

function agrees(header: string, length: number): void {
  const actual = parseRange(header, length);
  const bytes =
    typeof actual === 'object'
      ? Array.from({ length: actual.end - actual.start }, (_, at) => actual.start + at)
      : actual;
  assert.deepEqual(bytes, reference(header, length), `${header} of ${length}`);
}

describe('parseRange', () => {
  it('parses first to last, first to the end, and the last bytes', () => {
    assert.deepEqual(parseRange('bytes=0-0', 10), { start: 0, end: 1 });
    assert.deepEqual(parseRange('bytes=2-5', 10), { start: 2, end: 6 });
    assert.deepEqual(parseRange('bytes=9-', 10), { start: 9, end: 10 });
    assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, end: 10 });
    assert.deepEqual(parseRange('BYTES=0-1', 10), { start: 0, end: 2 });
  });

  it('truncates a range at the end of the object', () => {
    assert.deepEqual(parseRange('bytes=9-10', 10), { start: 9, end: 10 });
    assert.deepEqual(parseRange('bytes=0-99999999999999999999', 10), { start: 0, end: 10 });
    assert.deepEqual(parseRange('bytes=-11', 10), { start: 0, end: 10 });
    assert.deepEqual(parseRange(`bytes=-${'9'.repeat(400)}`, 10), { start: 0, end: 10 });
  });

  it('reports a range without any byte of the object as unsatisfiable', () => {
    for (const header of ['bytes=10-', 'bytes=10-10', 'bytes=-0', `bytes=${'9'.repeat(400)}-`]) {
      assert.equal(parseRange(header, 10), 'unsatisfiable', header);
    }
    for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) {
      assert.equal(parseRange(header, 0), 'unsatisfiable', header);
    }
  });

  it('ignores several ranges, other units, reversed ranges and invalid ranges', () => {
    const ignored = ['bytes=0-1,3-4', 'bytes=0-1,', 'items=0-1', 'bytes=5-2', 'bytes=-', 'bytes='];
    const nonsense = ['', '=', 'bytes', 'bytes 0-1', 'bytes=a-b', 'bytes=0-1x', 'bytes=1.0-2'];
    for (const header of [...ignored, ...nonsense, 'bytes=--1', 'bytes=+1-2', 'bytes=0x0-1']) {
      assert.equal(parseRange(header, 10), undefined, header);
    }
  });

  it('agrees with a reference on random ranges and objects', () => {
    const position = fc.oneof(
      fc.nat({ max: 70 }).map(String),
      fc.constantFrom('', '00', '007', '18446744073709551615'),
    );
    fc.assert(
      fc.property(position, position, fc.nat({ max: 64 }), (first, last, length) => {
        agrees(`bytes=${first}-${last}`, length);
      }),
      { numRuns: 5000 },
    );
  });

  it('agrees with a reference on text that is rarely a range', () => {
    const text = fc.string({ unit: fc.constantFrom(...'bytes=-,0123 x'), maxLength: 12 });
    fc.assert(
      fc.property(
        text.filter((header) => !/[ \t]/.test(header)),
        fc.nat({ max: 9 }),
        agrees,
      ),
      { numRuns: 2000 },
    );
  });
});
