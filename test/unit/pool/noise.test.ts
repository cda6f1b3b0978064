import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createNoiseFilter } from '../../../src/pool/noise.ts';

function createFilter() {
  const shown: [string, number][] = [];
  const others: number[] = [];
  const clock = { now: 0 };
  const filter = createNoiseFilter({
    show: (line, leftOut) => {
      shown.push([line, leftOut.repeats]);
      others.push(leftOut.others);
    },
    concerns: (line) => !line.startsWith('not this'),
    linesPerWindow: 2,
    linesInAll: 10,
    windowMs: 1000,
    now: () => clock.now,
  });
  return { shown, others, clock, push: (text: string | Buffer) => filter.push(Buffer.from(text)) };
}

/** A pattern of its own for each number. */
const lettersOf = (n: number) =>
  String(n).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? '');

describe('what an engine prints', () => {
  it('is shown line by line, whatever the chunks', () => {
    const { push, shown } = createFilter();
    push('one\ntw');
    push('o\n');
    push('no end yet');
    assert.deepEqual(shown, [
      ['one', 0],
      ['two', 0],
    ]);
  });

  it('is shown a few times for each pattern, numbers aside, and then counted', () => {
    const { clock, push, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push(`copy ${i} of rank ${i * 7} failed\n`);
    push('something else\n');
    assert.deepEqual(
      shown.map(([line]) => line),
      ['copy 0 of rank 0 failed', 'copy 1 of rank 7 failed', 'something else'],
    );
    clock.now = 999;
    push('copy 100 of rank 1 failed\n');
    assert.equal(shown.length, 3);
    clock.now = 1000;
    push('copy 101 of rank 1 failed\n');
    assert.deepEqual(shown.at(-1), ['copy 101 of rank 1 failed', 99]);
  });

  it('is shown a few times in all, however much the lines differ', () => {
    const { clock, others, push, shown } = createFilter();
    const put = (from: number, to: number) => {
      for (let i = from; i < to; i += 1) push(`copy of ${lettersOf(i)} failed\n`);
    };
    put(0, 10);
    assert.equal(shown.length, 10);
    put(10, 100_000);
    assert.equal(shown.length, 10);
    clock.now = 1000;
    put(100_000, 100_011);
    assert.equal(shown.length, 20);
    assert.deepEqual(others, [...Array<number>(10).fill(0), 99_990, ...Array<number>(9).fill(0)]);
  });

  it('passes over lines that it is not about, which count for nothing', () => {
    const { others, push, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push(`not this ${lettersOf(i)}\n`);
    push('but this\n');
    assert.deepEqual([shown, others], [[['but this', 0]], [0]]);
  });

  it('is cut where a line never ends, and bytes split between chunks stay whole', () => {
    const { push, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push('x'.repeat(10_000));
    push('\n');
    assert.equal(shown[0]?.[0].length, 1000);
    const word = Buffer.from('池\n');
    push(word.subarray(0, 2));
    push(word.subarray(2));
    assert.equal(shown[1]?.[0], '池');
  });

  it('takes little memory, however many patterns there are', () => {
    const { clock, push, shown } = createFilter();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 50_000; i += 1) {
      clock.now += 1000;
      push(`${lettersOf(i)}\n`);
      shown.length = 0;
    }
    assert(process.memoryUsage().heapUsed - before < 50 * 2 ** 20);
  });
});
