import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { codecs, fuzz } from '../../helpers/codec-fuzz.ts';

/** `npm run fuzz:codecs` goes on from here. */
const RUNS = 2_000;

describe('a mutated or truncated body', () => {
  for (const name of Object.keys(codecs)) {
    it(`is taken or refused with what is wrong with it: ${name}`, async () => {
      const outcomes = await fuzz(name, RUNS, 1);
      // Otherwise the mutations would be too gentle, or too wild, to test anything.
      assert.ok((outcomes.get('taken') ?? 0) > RUNS / 100, JSON.stringify([...outcomes]));
      assert.ok((outcomes.get('invalid-body') ?? 0) > RUNS / 10, JSON.stringify([...outcomes]));
    });
  }
});
