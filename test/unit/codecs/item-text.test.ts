import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureTexts, quoted } from '../../../src/codecs/item-text.ts';
import { ProblemError, problemKinds } from '../../../src/errors.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';

describe('quoted', () => {
  it('writes a key as JSON.stringify does, whatever is in it', () => {
    for (const key of [
      '',
      'plain/1',
      '"',
      '\\',
      'a"b',
      '\u007f',
      'é',
      '\u2028',
      '\ud83d',
      '!#[]~',
    ]) {
      assert.equal(quoted(key), JSON.stringify(key));
    }
    for (let unit = 0; unit < 0x180; unit++) {
      const key = `a${String.fromCharCode(unit)}b`;
      assert.equal(quoted(key), JSON.stringify(key));
    }
  });
});

describe('failureTexts', () => {
  const textOf = failureTexts();
  const told = (key: string, problem: ProblemError): unknown => JSON.parse(textOf(key, problem));

  it('tells status, code, kind and whether to try again', () => {
    assert.deepEqual(told('a"b', problemOfCode('read', -3102)), {
      key: 'a"b',
      status: 404,
      code: -3102,
      name: 'MMC_UNMATCHED_KEY',
      type: '/problems/object-not-found',
      detail: problemKinds['object-not-found'].help,
      retryable: false,
    });
  });

  it('has no code where the engine was not asked, and the detail where there is one', () => {
    assert.deepEqual(told('a', new ProblemError('object-too-large', { detail: 'So "large".' })), {
      key: 'a',
      status: 413,
      code: null,
      type: '/problems/object-too-large',
      detail: 'So "large".',
      retryable: false,
    });
  });

  it('lets a problem say by itself whether to try again', () => {
    const retryable = (problem: ProblemError) =>
      (told('a', problem) as { retryable: boolean }).retryable;
    assert.equal(retryable(problemOfCode('write', -3004)), false);
    assert.equal(retryable(problemOfCode('read', -3004)), true);
    assert.equal(retryable(problemOfCode('write', -3016)), true);
  });

  it('gives each item its own key though they share a problem', () => {
    const problem = problemOfCode('read', -3014);
    const [a, b] = ['a', 'b'].map((key) => told(key, problem) as { key: string });
    assert.deepEqual([a?.key, b?.key], ['a', 'b']);
    assert.deepEqual({ ...a, key: '' }, { ...b, key: '' });
  });
});
