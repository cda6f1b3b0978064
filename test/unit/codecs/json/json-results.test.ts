import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  existsResults,
  infoResults,
  putResults,
  type Results,
  removeResults,
  resultsText,
} from '../../../../src/codecs/json/json-results.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';

interface Item {
  readonly key: string;
  readonly status: number;
  readonly code: number | null;
  readonly [member: string]: unknown;
}

/** The response as parsed; its number of failures agrees with its items. */
function items(results: Results): Item[] {
  const text = [...resultsText(results)].join('');
  assert.ok(text.endsWith('}\n'));
  const answer = JSON.parse(text) as { items: Item[]; failed: number };
  assert.deepEqual(Object.keys(answer), ['items', 'failed']);
  assert.equal(answer.failed, results.failed);
  assert.equal(answer.items.filter(({ status }) => status >= 400).length, results.failed);
  assert.equal(answer.items.length, results.count);
  return answer.items;
}

const reported = (results: Results) =>
  items(results).map(({ status, code, type }) => (type === undefined ? [status, code] : type));
const codes = (...list: number[]) => ({ codes: Int32Array.from(list), stopped: undefined });
const stopped = { from: 1, problem: new ProblemError('engine-timeout', { code: -3004 }) };

describe('existsResults', () => {
  it('treats a missing key as a result, and an object that is being written as existing', () => {
    assert.deepEqual(items(existsResults(['a', 'b', 'c'], codes(0, -3102, -3007))), [
      { key: 'a', status: 200, code: 0, exists: true },
      { key: 'b', status: 200, code: -3102, exists: false },
      { key: 'c', status: 200, code: -3007, exists: true },
    ]);
    assert.deepEqual(reported(existsResults(['a'], codes(-1))), ['/problems/engine-error']);
  });

  it('reports the same reason for all items that were not reached', () => {
    const answer = { ...codes(0, 0, 0), stopped };
    assert.deepEqual(reported(existsResults(['a', 'b', 'c'], answer)), [
      [200, 0],
      '/problems/engine-timeout',
      '/problems/engine-timeout',
    ]);
  });
});

describe('removeResults', () => {
  it('treats a missing key as a failure', () => {
    const answer = removeResults(['a', 'b', 'a'], codes(0, -3104, -3102));
    assert.deepEqual(reported(answer), [
      [204, 0],
      '/problems/lease-active',
      '/problems/object-not-found',
    ]);
    assert.equal(answer.failed, 2);
    const part = removeResults(['a', 'b'], { ...codes(0, 0), stopped });
    assert.deepEqual(reported(part), [[204, 0], '/problems/engine-timeout']);
  });
});

describe('infoResults', () => {
  it('reports size and replicas, and an object without replicas as being written', () => {
    const replicas = [{ serviceId: 4, medium: 'DRAM' as const }];
    const infos = [
      { valid: true, size: 2 ** 40, replicas },
      { valid: true, size: 3, replicas: [] },
      { valid: false, size: 0, replicas: [] },
    ];
    const results = infoResults(['a', 'b', 'c'], { ...codes(0, 0, -3102), infos });
    assert.deepEqual(items(results)[0], {
      key: 'a',
      status: 200,
      code: 0,
      size: 2 ** 40,
      replicas,
    });
    const types = reported(results).slice(1);
    assert.deepEqual(types, ['/problems/object-being-written', '/problems/object-not-found']);
    const part = infoResults(['a', 'b'], { ...codes(0, 0), infos: infos.slice(0, 1), stopped });
    assert.deepEqual(reported(part), [[200, 0], '/problems/engine-timeout']);
  });
});

describe('putResults', () => {
  it('reports the outcome of each item', () => {
    assert.deepEqual(items(putResults(['a', 'b', 'c'], ['created', 'kept', 'replaced'])), [
      { key: 'a', status: 201, code: 0, outcome: 'created' },
      { key: 'b', status: 200, code: -3006, outcome: 'kept' },
      { key: 'c', status: 200, code: 0, outcome: 'replaced' },
    ]);
  });

  it('never treats an item without a result as stored', () => {
    const results = putResults(['a', 'b'], [new ProblemError('empty-object')]);
    assert.deepEqual(reported(results), ['/problems/empty-object', '/problems/internal-error']);
  });
});

describe('resultsText', () => {
  it('is complete for any number of items, in pieces of 64 KiB', () => {
    for (const [count, pieces] of [
      [0, 1],
      [1, 1],
      [1500, 1],
      [3000, 2],
      [6000, 4],
    ] as const) {
      const keys = Array.from({ length: count }, (_, i) => `k${i}`);
      const results = removeResults(keys, { codes: new Int32Array(count), stopped: undefined });
      assert.equal([...resultsText(results)].length, pieces);
      assert.deepEqual(
        items(results).map(({ key }) => key),
        keys,
      );
    }
  });
});
