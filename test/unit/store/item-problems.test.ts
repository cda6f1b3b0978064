import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors/problems.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import { ItemProblems } from '../../../src/store/item-problems.ts';
import { judgeCut } from '../../../src/store/layers/layers.ts';

describe('problems of items', () => {
  it('are one frozen object for each code and reason', () => {
    const problem = problemOfCode('read', -3102);
    assert.equal(problemOfCode('read', -3102), problem);
    assert.ok(Object.isFrozen(problem) && Object.isFrozen(problem.options));
    assert.notEqual(problemOfCode('read', -3004), problemOfCode('write', -3004));
    assert.equal(problemOfCode('write', -3004), problemOfCode('write', -3004));
  });

  it('share one object if they are equal, and keep no cause', () => {
    const problems = new ItemProblems();
    const full = () => problems.share(new ProblemError('arena-full', { cause: new Error('x') }));
    assert.equal(full(), full());
    assert.equal(full().options.cause, undefined);
    assert.notEqual(problems.share(new ProblemError('no-room')), full());
  });

  it('keep 64 separate details; later ones have a common detail', () => {
    const sizes = Float64Array.from({ length: 1000 }, (_, index) => index + 2);
    const plan = { keys: [], sizes, problems: new Map<number, ProblemError>() };
    judgeCut(plan, { totalBytes: 1, selected: [] }, sizes.keys());
    assert.equal(plan.problems.size, 1000);
    assert.equal(new Set(plan.problems.values()).size, 65);
    assert.match(plan.problems.get(0)?.message ?? '', /the object has 2\./);
    assert.equal(plan.problems.get(999)?.slug, 'layers-mismatch');
  });
});
