import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors.ts';
import { problemResponse } from '../../../src/http/problem.ts';
import { LOCK_TIMEOUT, mmcCodes, UNTRUSTED_READ } from '../../../src/native/codes.ts';
import {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/errors.ts';
import {
  problemOfCode,
  problemOfThrown,
  type StoreOperation,
} from '../../../src/store/engine-problem.ts';
import { engineCodeTable } from '../../helpers/engine-code-table.ts';

const operations: StoreOperation[] = ['read', 'stat', 'exists', 'write', 'remove'];

const answerOf = (error: ProblemError) => {
  const { status, headers, body } = problemResponse(error.slug, {
    ...error.options,
    requestId: 'r',
  });
  return { status, headers, json: JSON.parse(body) as Record<string, unknown> };
};

describe('problemOfCode', () => {
  it('answers every code of the table as it is designed, for every operation', () => {
    for (const { code, slug, status, retryable, retryAfter } of engineCodeTable) {
      for (const operation of operations) {
        const label = `${operation} ${code}`;
        const error = problemOfCode(operation, code);
        const { status: actual, headers, json } = answerOf(error);
        assert.equal(error.slug, slug, label);
        assert.equal(actual, status, label);
        const expected = retryable === 'reads' ? operation !== 'write' : retryable;
        assert.equal(json['retryable'], expected, label);
        assert.equal(headers['Retry-After'] !== undefined, retryAfter ?? expected, label);
        assert.equal(json['code'], code, label);
        assert.match(String(json['name']), /^MMC_[A-Z_]+$/, label);
      }
    }
  });

  it('has an answer of its own for every code that the engine documents', () => {
    const known = new Set(engineCodeTable.map(({ code }) => code));
    const ours = [0, UNTRUSTED_READ, LOCK_TIMEOUT];
    for (const { code } of mmcCodes) {
      assert.ok(ours.includes(code) || known.has(code), `${code} is not in the table`);
    }
  });

  it('answers 502 to a code nobody documented, keeps its number and does not advise a retry', () => {
    for (const code of [-2, -3, -6, -2000, 1, 2, 77, -2, -3012, -3021, -3108, -9999, 2 ** 31 - 1]) {
      const { status, json } = answerOf(problemOfCode('write', code));
      assert.equal(status, 502, String(code));
      assert.equal(json['code'], code);
      assert.equal(json['retryable'], false);
    }
  });

  it('tells of a read that cannot be trusted, without a number that is not the engine\u2019s', () => {
    const { status, headers, json } = answerOf(problemOfCode('read', UNTRUSTED_READ));
    assert.equal(status, 503);
    assert.equal(json['type'], '/problems/read-not-trusted');
    assert.equal(json['retryable'], true);
    assert.notEqual(headers['Retry-After'], undefined);
    assert.equal('code' in json || 'name' in json, false);
  });

  it('advises to try again where the engine gave up on a lock and did nothing, writes included', () => {
    for (const operation of ['read', 'stat', 'exists', 'write', 'remove'] as const) {
      const { status, headers, json } = answerOf(problemOfCode(operation, LOCK_TIMEOUT));
      assert.equal(status, 503, operation);
      assert.equal(json['type'], '/problems/pool-locked');
      assert.equal(json['retryable'], true);
      assert.notEqual(headers['Retry-After'], undefined);
      assert.equal('code' in json || 'name' in json, false);
    }
  });
});

describe('problemOfThrown', () => {
  const slugOf = (operation: StoreOperation, error: unknown) => {
    const problem = problemOfThrown(operation, error);
    assert.ok(problem instanceof ProblemError);
    assert.equal(problem.cause, error);
    return [problem.slug, answerOf(problem).json['retryable']] as [ProblemSlug, boolean];
  };

  it('tells a write past its deadline that its outcome is unknown, and a read to try again', () => {
    for (const operation of operations) {
      const late = new EngineDeadlineError('put', 10);
      assert.deepEqual(slugOf(operation, late), ['engine-timeout', operation !== 'write']);
    }
    const problem = problemOfThrown('write', new EngineDeadlineError('put', 10));
    assert.match(String(problem), /unknown: ask with HEAD/);
  });

  it('knows the other errors of the native side, all of them retryable', () => {
    const table: [unknown, ProblemSlug][] = [
      [new EngineStuckError('get', 16), 'engine-stuck'],
      [new EngineClosedError('get'), 'not-ready'],
      [new ArenaFullError(1, 2), 'arena-full'],
    ];
    for (const [error, slug] of table) assert.deepEqual(slugOf('read', error), [slug, true]);
  });

  it('passes on what it does not know, a problem included', () => {
    for (const error of [new TypeError('a defect'), new ProblemError('no-room'), undefined, 7]) {
      assert.equal(problemOfThrown('read', error), error);
    }
  });
});
