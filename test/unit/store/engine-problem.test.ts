import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOCK_TIMEOUT, mmcCodes, UNTRUSTED_READ } from '../../../src/errors/engine-codes.ts';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { problemResponse } from '../../../src/http/response/problem.ts';
import {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/abi/errors.ts';
import {
  problemOfCode,
  problemOfThrown,
  type StoreOperation,
} from '../../../src/store/engine-problem.ts';
import { engineCodeTable } from '../../helpers/engine/engine-code-table.ts';

const operations: StoreOperation[] = ['read', 'stat', 'exists', 'write', 'remove'];

const answerOf = (error: ProblemError) => {
  const { status, headers, body } = problemResponse(error.slug, {
    ...error.options,
    requestId: 'r',
  });
  return { status, headers, json: JSON.parse(body) as Record<string, unknown> };
};

describe('problemOfCode', () => {
  it('maps every code of the table for every operation', () => {
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

  it('maps every documented code to a problem', () => {
    const known = new Set(engineCodeTable.map(({ code }) => code));
    const ours = [0, UNTRUSTED_READ, LOCK_TIMEOUT];
    for (const { code } of mmcCodes) {
      assert.ok(ours.includes(code) || known.has(code), `${code} is not in the table`);
    }
  });

  it('maps an undocumented code to 502, with its number and without a retry', () => {
    for (const code of [-2, -3, -6, -2000, 1, 2, 77, -2, -3012, -3021, -3108, -9999, 2 ** 31 - 1]) {
      const { status, json } = answerOf(problemOfCode('write', code));
      assert.equal(status, 502, String(code));
      assert.equal(json['code'], code);
      assert.equal(json['retryable'], false);
    }
  });

  it('reports an untrusted read without a number that the engine does not have', () => {
    const { status, headers, json } = answerOf(problemOfCode('read', UNTRUSTED_READ));
    assert.equal(status, 503);
    assert.equal(json['type'], '/problems/read-not-trusted');
    assert.equal(json['retryable'], true);
    assert.notEqual(headers['Retry-After'], undefined);
    assert.equal('code' in json || 'name' in json, false);
  });

  it('is retryable if the engine gave up on a lock and did nothing, also for writes', () => {
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

  it('reports an unknown outcome for a late write, and a retryable problem for a late read', () => {
    for (const operation of operations) {
      const late = new EngineDeadlineError('put', 10);
      assert.deepEqual(slugOf(operation, late), ['engine-timeout', operation !== 'write']);
    }
    const problem = problemOfThrown('write', new EngineDeadlineError('put', 10));
    assert.match(String(problem), /may not have been stored: check with HEAD/);
  });

  it('maps the other errors of the native code to retryable problems', () => {
    const table: [unknown, ProblemSlug][] = [
      [new EngineStuckError('get', 16), 'engine-stuck'],
      [new EngineClosedError('get'), 'not-ready'],
      [new ArenaFullError(1, 2), 'arena-full'],
    ];
    for (const [error, slug] of table) assert.deepEqual(slugOf('read', error), [slug, true]);
  });

  it('passes on unknown errors and problems', () => {
    for (const error of [new TypeError('a defect'), new ProblemError('no-room'), undefined, 7]) {
      assert.equal(problemOfThrown('read', error), error);
    }
  });
});
