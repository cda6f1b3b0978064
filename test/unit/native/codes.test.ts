import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  codeMeaning,
  codeName,
  LOCK_TIMEOUT,
  mmcCodes,
  UNTRUSTED_READ,
} from '../../../src/native/codes.ts';
import { EngineLoadError, MmcError } from '../../../src/native/errors.ts';

describe('the table of codes', () => {
  it('names each code once, with a meaning', () => {
    assert.equal(new Set(mmcCodes.map(({ code }) => code)).size, mmcCodes.length);
    assert.equal(new Set(mmcCodes.map(({ name }) => name)).size, mmcCodes.length);
    for (const { name, meaning } of mmcCodes) {
      assert.match(name, /^M(MC|CG)_[A-Z_]+$/);
      assert.ok(meaning.length > 3 && meaning.length <= 80, meaning);
    }
  });

  it('holds every code of the documented table', () => {
    const documented = [
      0, -1, -3000, -3001, -3002, -3003, -3004, -3005, -3006, -3007, -3008, -3009, -3010, -3011,
      -3013, -3014, -3015, -3016, -3017, -3018, -3019, -3101, -3102, -3103, -3104,
    ];
    const known = new Set(mmcCodes.map(({ code }) => code));
    assert.deepEqual(
      documented.filter((code) => !known.has(code)),
      [],
    );
    assert.equal(codeName(-3102), 'MMC_UNMATCHED_KEY');
  });

  it('keeps its own codes out of the engine’s range', () => {
    const own = [UNTRUSTED_READ, LOCK_TIMEOUT];
    const others = mmcCodes.filter(({ code }) => !own.includes(code));
    assert.ok(Math.min(...others.map(({ code }) => code)) > Math.max(...own) + 100_000);
  });

  it('has a name for a code that nobody documented', () => {
    assert.equal(codeName(-7), 'MMC_UNKNOWN');
    assert.match(codeMeaning(-7), /does not document/);
  });
});

describe('MmcError', () => {
  it('tells operation, code and name', () => {
    const error = new MmcError(-3006, 'put');
    assert.deepEqual(
      [error.code, error.name, error.operation],
      [-3006, 'MMC_DUPLICATED_OBJECT', 'put'],
    );
    assert.match(error.message, /^put: MMC_DUPLICATED_OBJECT \(-3006\): /);
  });
});

describe('EngineLoadError', () => {
  it('carries the advice in its message, and its cause', () => {
    const cause = new Error('dlopen');
    const error = new EngineLoadError('It does not load.', 'Build it.', { cause, code: -1 });
    assert.equal(error.message, 'It does not load.\nBuild it.');
    assert.deepEqual([error.advice, error.cause, error.code], ['Build it.', cause, -1]);
    assert.equal('cause' in new EngineLoadError('a', 'b'), false);
  });
});
