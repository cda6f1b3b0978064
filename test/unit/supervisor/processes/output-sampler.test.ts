import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOutputSampler } from '../../../../src/supervisor/processes/output-sampler.ts';

function createFilter() {
  const shown: [string, number][] = [];
  const others: number[] = [];
  const filter = createOutputSampler({
    show: (line, leftOut) => {
      shown.push([line, leftOut.repeats]);
      others.push(leftOut.others);
    },
    concerns: (line) => !line.startsWith('not this'),
    linesInAll: 10,
  });
  const push = (text: string | Buffer) => filter.push(Buffer.from(text));
  return { shown, others, push, report: () => filter.report(), end: () => filter.end() };
}

/** A different pattern for each number. */
const lettersOf = (n: number) =>
  String(n).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? '');

describe('the output of an engine', () => {
  it('is logged line by line, however it is split into chunks', () => {
    const { push, shown } = createFilter();
    push('one\ntw');
    push('o\n');
    push('no end yet');
    assert.deepEqual(shown, [
      ['one', 0],
      ['two', 0],
    ]);
  });

  it('is logged once for each pattern, ignoring numbers, and counted afterwards', () => {
    const { push, report, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push(`copy ${i} of rank ${i * 7} failed\n`);
    push('something else\n');
    assert.deepEqual(shown.splice(0), [
      ['copy 0 of rank 0 failed', 0],
      ['something else', 0],
    ]);
    report();
    assert.deepEqual(shown.splice(0), [['copy 0 of rank 0 failed', 99]]);
    push('copy 100 of rank 1 failed\n');
    assert.deepEqual(shown, []);
    report();
    assert.deepEqual(shown.splice(0), [['copy 0 of rank 0 failed', 1]]);
  });

  it('is logged again after a minute without it, and not earlier', () => {
    const { push, report, shown } = createFilter();
    push('copy 1 failed\n');
    report();
    report();
    assert.deepEqual(shown.splice(0), [['copy 1 failed', 0]]);
    push('copy 2 failed\n');
    assert.deepEqual(shown, [['copy 2 failed', 0]]);
  });

  it('is logged a limited number of times, however much the lines differ', () => {
    const { others, push, report, shown } = createFilter();
    const put = (from: number, to: number) => {
      for (let i = from; i < to; i += 1) push(`copy of ${lettersOf(i)} failed\n`);
    };
    put(0, 100_000);
    assert.equal(shown.length, 10);
    report();
    assert.deepEqual(shown.at(-1), ['(lines of many kinds)', 0]);
    assert.equal(others.at(-1), 99_990);
    put(100_000, 100_020);
    assert.equal(shown.length, 21);
    put(100_000, 100_001);
    report();
    assert.deepEqual([shown.at(-1)?.[1], others.at(-1)], [1, 10]);
  });

  it('ignores other lines, which do not count', () => {
    const { others, push, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push(`not this ${lettersOf(i)}\n`);
    push('but this\n');
    assert.deepEqual([shown, others], [[['but this', 0]], [0]]);
  });

  it('is truncated if a line never ends, and split bytes are joined', () => {
    const { push, shown } = createFilter();
    for (let i = 0; i < 100; i += 1) push('x'.repeat(10_000));
    push('\n');
    assert.equal(shown[0]?.[0].length, 1000);
    const word = Buffer.from('池\n');
    push(word.subarray(0, 2));
    push(word.subarray(2));
    assert.equal(shown[1]?.[0], '池');
  });

  it('needs little memory, however many patterns there are', () => {
    const { push, report, shown } = createFilter();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 50_000; i += 1) {
      push(`${lettersOf(i)}\n`);
      if (i % 100 === 0) report();
      shown.length = 0;
    }
    assert(process.memoryUsage().heapUsed - before < 50 * 2 ** 20);
  });

  it('is logged to its end, even without a final line break', () => {
    const { end, push, shown } = createFilter();
    push('repeated 1\nrepeated 2\n');
    push('terminate called without an active exception');
    assert.deepEqual(shown, [['repeated 1', 0]]);
    end();
    assert.deepEqual(shown.slice(1), [
      ['terminate called without an active exception', 0],
      ['repeated 1', 1],
    ]);
    end();
    assert.equal(shown.length, 3);
  });
});
