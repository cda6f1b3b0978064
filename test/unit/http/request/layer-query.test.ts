import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import {
  type LayerNames,
  layerCutOf,
  layerSizesOf,
} from '../../../../src/http/request/layer-query.ts';

const layouts = [
  { name: 'pair', sizes: [5, 5] },
  { name: 'pair', sizes: [7, 3] },
  { name: 'one', sizes: [1] },
];

const selected = (names: LayerNames): number[] =>
  layerCutOf(names, layouts).selected.map(({ number }) => number);

function refuses(names: LayerNames, detail: RegExp): void {
  assert.throws(
    () => layerCutOf(names, layouts),
    (error) =>
      error instanceof ProblemError &&
      error.slug === 'invalid-parameter' &&
      detail.test(error.message),
    JSON.stringify(names),
  );
}

describe('the layers in a query', () => {
  it('follow one another', () => {
    assert.deepEqual(layerCutOf({ sizes: '5,7x2' }, []), {
      totalBytes: 19,
      selected: [
        { number: 0, start: 0, bytes: 5 },
        { number: 1, start: 5, bytes: 7 },
        { number: 2, start: 12, bytes: 7 },
      ],
    });
  });

  it('may be those of a layout; of two layouts with one name the last one counts', () => {
    assert.deepEqual(layerSizesOf({ layout: 'one' }, layouts), [1]);
    assert.deepEqual(layerSizesOf({ layout: 'pair' }, layouts), [7, 3]);
    assert.equal(layerSizesOf({}, layouts), undefined);
    refuses({ layout: 'two' }, /knows pair, pair, one/);
    assert.throws(() => layerSizesOf({ layout: 'two' }, []), /knows none \(--layout/);
  });

  it('must be given in exactly one way', () => {
    refuses({}, /send them/);
    refuses({ sizes: '5', layout: 'one' }, /not both/);
    refuses({ sizes: '0' }, /sizes has "0"/);
    refuses({ sizes: '999999999999999x255' }, /more bytes together/);
  });

  it('are selected by numbers and ranges, in the given order, each once', () => {
    assert.deepEqual(selected({ sizes: '1x4' }), [0, 1, 2, 3]);
    assert.deepEqual(selected({ sizes: '1x255', select: '254,0-2,9' }), [254, 0, 1, 2, 9]);
    assert.deepEqual(selected({ sizes: '1x3', select: '2-2' }), [2]);
    for (const [select, detail] of [
      ['', /numbers of layers/],
      ['1-', /numbers of layers/],
      ['2-1', /numbers of layers/],
      ['a', /numbers of layers/],
      ['0,,1', /numbers of layers/],
      ['1-2-3', /numbers of layers/],
      ['4', /has layer 4: there are 4, 0 to 3/],
      ['0-4', /has layer 4/],
      ['999999999', /there are 4/],
      ['9999999999', /numbers of layers/],
      ['0,0', /has layer 0 twice/],
      ['0-2,1', /has layer 1 twice/],
    ] as const) {
      refuses({ sizes: '1x4', select }, detail);
    }
  });
});
