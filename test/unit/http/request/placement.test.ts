import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { parsePutQuery } from '../../../../src/http/request/placement.ts';

function refuses(query: string, detail: RegExp): void {
  assert.throws(
    () => parsePutQuery(query),
    (error) =>
      error instanceof ProblemError &&
      error.slug === 'invalid-parameter' &&
      detail.test(error.message),
    query,
  );
}

describe('parsePutQuery', () => {
  it('defaults to one replica anywhere, and to ifExists=fail', () => {
    assert.deepEqual(parsePutQuery(''), {
      options: { replicas: 1, prefer: [] },
      ifExists: 'fail',
    });
  });

  it('reads replicas from 1 to 8, and refuses 0, 9 and text', () => {
    for (const replicas of [1, 2, 7, 8]) {
      assert.equal(parsePutQuery(`replicas=${replicas}`).options.replicas, replicas);
    }
    for (const text of ['0', '9', '-1', '1.5', '', 'two', '1,2', '%00']) {
      refuses(`replicas=${text}`, /expected a whole number from 1 to 8/);
    }
  });

  it('reads as many preferred services as replicas, in their order', () => {
    assert.deepEqual(parsePutQuery('prefer=0').options.prefer, [0]);
    assert.deepEqual(parsePutQuery('replicas=2&prefer=7').options.prefer, [7]);
    assert.deepEqual(parsePutQuery('prefer=5%2C3&replicas=2').options.prefer, [5, 3]);
    const eight = [8, 7, 6, 5, 4, 3, 2, 1];
    assert.deepEqual(parsePutQuery(`replicas=8&prefer=${eight}`).options.prefer, eight);
    assert.deepEqual(parsePutQuery('prefer=2147483647').options.prefer, [2147483647]);
  });

  it('refuses more preferred services than replicas, duplicates, and invalid ids', () => {
    refuses('prefer=0,1', /2 services for 1 replicas/);
    refuses('replicas=2&prefer=0,1,2', /3 services for 2/);
    refuses('replicas=2&prefer=1,01', /may be named once/);
    for (const text of ['', ',', '1,', '-1', 'a', '2147483648', '1;2', '1 ']) {
      refuses(`replicas=8&prefer=${text}`, /expected a whole number from 0 to 2147483647/);
    }
  });

  it('reads ifExists, and refuses other values', () => {
    for (const ifExists of ['fail', 'keep', 'replace'] as const) {
      assert.equal(parsePutQuery(`ifExists=${ifExists}`).ifExists, ifExists);
    }
    for (const text of ['', 'Fail', 'overwrite', 'keep,replace']) {
      refuses(`ifExists=${text}`, /expected fail, keep or replace/);
    }
  });

  it('refuses an unknown parameter', () => {
    refuses('replica=2', /this operation has replicas, prefer, ifExists/);
    refuses('ifexists=keep', /Unknown query parameter 'ifexists'/);
  });
});
