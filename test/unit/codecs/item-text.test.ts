import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureTexts, quoted } from '../../../src/codecs/item-text.ts';
import { ProblemError, problemKinds } from '../../../src/errors/problems.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';

describe('quoted', () => {
  it('writes a key like JSON.stringify, whatever it contains', () => {
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
  const reported = (key: string, problem: ProblemError): unknown =>
    JSON.parse(textOf(key, problem));

  it('has status, code, kind and retryability', () => {
    assert.deepEqual(reported('a"b', problemOfCode('read', -3102)), {
      key: 'a"b',
      status: 404,
      code: -3102,
      name: 'MMC_UNMATCHED_KEY',
      type: '/problems/object-not-found',
      detail: problemKinds['object-not-found'].help,
      retryable: false,
    });
  });

  it('has no code if there was no engine call, and the detail if there is one', () => {
    assert.deepEqual(
      reported('a', new ProblemError('object-too-large', { detail: 'So "large".' })),
      {
        key: 'a',
        status: 413,
        code: null,
        type: '/problems/object-too-large',
        detail: 'So "large".',
        retryable: false,
      },
    );
  });

  it('lets a problem override its retryability', () => {
    const retryable = (problem: ProblemError) =>
      (reported('a', problem) as { retryable: boolean }).retryable;
    assert.equal(retryable(problemOfCode('write', -3004)), false);
    assert.equal(retryable(problemOfCode('read', -3004)), true);
    assert.equal(retryable(problemOfCode('write', -3016)), true);
  });

  it('gives each item its own key although they share a problem', () => {
    const problem = problemOfCode('read', -3014);
    const [a, b] = ['a', 'b'].map((key) => reported(key, problem) as { key: string });
    assert.deepEqual([a?.key, b?.key], ['a', 'b']);
    assert.deepEqual({ ...a, key: '' }, { ...b, key: '' });
  });
});
