import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { codecs, fuzz } from '../../helpers/bodies/codec-fuzz.ts';

/** `npm run fuzz:codecs` continues from here. */
const RUNS = 2_000;

describe('a mutated or truncated body', () => {
  for (const name of Object.keys(codecs)) {
    it(`is accepted or refused with a reason: ${name}`, async () => {
      const outcomes = await fuzz(name, RUNS, 1);
      // Otherwise the mutations would change too little, or too much, to test anything.
      assert.ok((outcomes.get('taken') ?? 0) > RUNS / 100, JSON.stringify([...outcomes]));
      assert.ok((outcomes.get('invalid-body') ?? 0) > RUNS / 10, JSON.stringify([...outcomes]));
    });
  }
});
