import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { evaluateConditions, isConditional } from '../../../../src/http/request/conditional.ts';

type Verdict = 'proceed' | 'not-modified' | 'failed';

function verdict(headers: Record<string, string>, method: string, exists: boolean): Verdict {
  try {
    return evaluateConditions(headers, method, exists);
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.slug, 'precondition-failed');
    return 'failed';
  }
}

const any = { 'if-match': '*' };
const none = { 'if-none-match': '*' };
const tag = { 'if-match': '"a"' };
const noTag = { 'if-none-match': '"a", W/"b"' };

const table: [headers: Record<string, string>, absent: Verdict, present: Verdict][] = [
  [{}, 'proceed', 'proceed'],
  [any, 'failed', 'proceed'],
  [tag, 'failed', 'failed'],
  [noTag, 'proceed', 'proceed'],
  [{ ...any, ...noTag }, 'failed', 'proceed'],
  [{ ...tag, ...none }, 'failed', 'failed'],
  [{ 'if-match': ' * ' }, 'failed', 'proceed'],
  [{ 'if-match': '*, "a"' }, 'failed', 'failed'],
  [{ 'if-none-match': '*, "a"' }, 'proceed', 'proceed'],
  [{ 'if-none-match': '"*"' }, 'proceed', 'proceed'],
  [{ 'if-none-match': '' }, 'proceed', 'proceed'],
];

describe('evaluateConditions', () => {
  it('evaluates If-Match and If-None-Match only by existence, for every method', () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      for (const [headers, absent, present] of table) {
        const label = `${method} ${JSON.stringify(headers)}`;
        assert.equal(verdict(headers, method, false), absent, label);
        assert.equal(verdict(headers, method, true), present, label);
      }
    }
  });

  it('gives 304 for GET and HEAD, and fails methods that change something', () => {
    for (const headers of [none, { ...any, ...none }, { 'if-none-match': ' *' }]) {
      for (const method of ['GET', 'HEAD']) {
        assert.equal(verdict(headers, method, true), 'not-modified');
      }
      for (const method of ['PUT', 'DELETE'])
        assert.equal(verdict(headers, method, true), 'failed');
    }
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      assert.equal(verdict(none, method, false), 'proceed');
    }
  });
});

describe('isConditional', () => {
  it('is true only for these two headers, even if they are empty', () => {
    assert.equal(isConditional({}), false);
    assert.equal(isConditional({ 'if-range': '"a"', 'if-modified-since': 'x' }), false);
    assert.equal(isConditional({ 'if-match': '' }), true);
    assert.equal(isConditional({ 'if-none-match': '*' }), true);
  });
});
