import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { layouts, readLayerSizes, writeLayerSizes } from '../../../src/config/layouts.ts';

const sizesOf = (text: string): readonly number[] | undefined => {
  const reading = readLayerSizes(text);
  return 'value' in reading ? reading.value : undefined;
};

describe('sizes of layers', () => {
  it('are numbers of bytes, each with a number of layers', () => {
    assert.deepEqual(sizesOf('5'), [5]);
    assert.deepEqual(sizesOf('5x2,7,1x3'), [5, 5, 7, 1, 1, 1]);
    assert.equal(sizesOf('131072x61,16384x61')?.length, 122);
    assert.deepEqual(sizesOf('999999999999999'), [999_999_999_999_999]);
  });

  it('are at most 255, each of at least one byte', () => {
    assert.equal(sizesOf('1x255')?.length, 255);
    assert.equal(sizesOf('1x200,2x55')?.length, 255);
    for (const text of ['1x256', '1x255,1', '1x999999999999999', '0', '5,0', '5x0']) {
      assert.equal(sizesOf(text), undefined, text);
    }
  });

  it('have no other form', () => {
    const nonsense = [
      '',
      ',',
      '5,',
      ',5',
      '5,,5',
      'x',
      '5x',
      'x5',
      '5X2',
      '-1',
      '+1',
      '1.5',
      '1e3',
    ];
    for (const text of [...nonsense, ' 5', '5 ', '0x10', '5*2', 'ä', '1'.repeat(16)]) {
      assert.equal(sizesOf(text), undefined, text);
    }
    assert.equal(sizesOf(`${'1,'.repeat(2048)}1`), undefined);
  });

  it('are parsed as they were written, in the shortest form', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 255 }),
        (sizes) => {
          const text = writeLayerSizes(sizes);
          assert.deepEqual(sizesOf(text), sizes);
          const runs = text.split(',').map((run) => run.split('x')[0]);
          assert.ok(runs.every((bytes, n) => bytes !== runs[n + 1]));
        },
      ),
    );
  });
});

describe('a layout', () => {
  const kind = layouts();

  it('is a name and sizes; several are separated by semicolons', () => {
    const text = 'deepseek-r1=131072x61,16384x61;pair_2.b=5x2';
    const reading = kind.read(text);
    assert.ok('value' in reading);
    assert.deepEqual(
      reading.value.map(({ name, sizes }) => [name, sizes.length]),
      [
        ['deepseek-r1', 122],
        ['pair_2.b', 2],
      ],
    );
    assert.equal(kind.write(reading.value), text);
  });

  it('is refused with the reason', () => {
    for (const [text, fault] of [
      ['', /is not a layout/],
      ['a', /is not a layout/],
      ['=5', /is not a layout/],
      ['a=', /layout a has ""/],
      ['a=b=5', /is not a layout/],
      ['a b=5', /is not a layout/],
      ['a=5;', /is not a layout/],
      ['a=1x256', /layout a has more than 255 layers/],
      [`${'n'.repeat(65)}=5`, /is not a layout/],
    ] as const) {
      const reading = kind.read(text);
      assert.ok('fault' in reading, text);
      assert.match(reading.fault, fault);
    }
    assert.ok('value' in kind.read(`${'n'.repeat(64)}=5`));
  });
});
