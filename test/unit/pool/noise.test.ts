import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createNoiseFilter, createTail } from '../../../src/pool/noise.ts';

function createFilter() {
  const shown: [string, number][] = [];
  const clock = { now: 0 };
  const filter = createNoiseFilter({
    show: (line, repeats) => void shown.push([line, repeats]),
    linesPerWindow: 2,
    windowMs: 1000,
    now: () => clock.now,
  });
  return { shown, clock, push: (text: string | Buffer) => filter.push(Buffer.from(text)) };
}

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
    const { push, shown } = createFilter();
    const letters = (n: number) =>
      String(n).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? '');
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 50_000; i += 1) {
      push(`${letters(i)}\n`);
      shown.length = 0;
    }
    assert(process.memoryUsage().heapUsed - before < 50 * 2 ** 20);
  });
});

describe('the last words of a process', () => {
  it('are the last bytes, across chunks', () => {
    const tail = createTail(8);
    tail.push(Buffer.from('0123456789'));
    tail.push(Buffer.from('ab\n'));
    assert.equal(tail.text(), '56789ab');
  });
});
