import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { codesHeader } from '../../../scripts/generate/codes-header.mjs';
import {
  codeMeaning,
  codeName,
  engineCodes,
  LOCK_TIMEOUT,
  mmcCodes,
  UNTRUSTED_READ,
} from '../../../src/errors/engine-codes.ts';
import { EngineLoadError, MmcError } from '../../../src/native/abi/errors.ts';

describe('the table of codes', () => {
  it('names each code once, with a meaning', () => {
    assert.equal(new Set(mmcCodes.map(({ code }) => code)).size, mmcCodes.length);
    assert.equal(new Set(mmcCodes.map(({ name }) => name)).size, mmcCodes.length);
    for (const { name, meaning } of mmcCodes) {
      assert.match(name, /^M(MC|CG)_[A-Z_]+$/);
      assert.ok(meaning.length > 3 && meaning.length <= 80, meaning);
    }
  });

  it('gives every code but success a problem', () => {
    const without = engineCodes.filter(({ problem }) => problem === undefined);
    assert.deepEqual(
      without.map(({ code }) => code),
      [0],
    );
  });

  it('has every code of the documented table', () => {
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

  it('keeps its own codes outside the engine’s range', () => {
    const own = [UNTRUSTED_READ, LOCK_TIMEOUT];
    const others = mmcCodes.filter(({ code }) => !own.includes(code));
    assert.ok(Math.min(...others.map(({ code }) => code)) > Math.max(...own) + 100_000);
  });

  it('has a name for an undocumented code', () => {
    assert.equal(codeName(-7), 'MMC_UNKNOWN');
    assert.match(codeMeaning(-7), /does not document/);
  });
});

describe('the C header of the embedded engine', () => {
  const header = readFileSync(
    new URL('../../../embedded-engine/abi/mmc_codes.h', import.meta.url),
    'utf8',
  );

  it('is the output of npm run generate', () => {
    assert.equal(header, codesHeader());
  });

  it('has each code that an engine returns, with the same name and number', () => {
    const inC = [...header.matchAll(/^ {2}(\w+) = (-?\d+),/gm)].map(([, name, code]) => [
      name,
      Number(code),
    ]);
    const inTable = mmcCodes.filter(({ code }) => code !== UNTRUSTED_READ);
    assert.deepEqual(
      inC,
      inTable.map(({ code, name }) => [name, code]),
    );
  });

  it('is the only C file that defines numbers of codes', () => {
    const abi = readFileSync(
      new URL('../../../embedded-engine/abi/mmc_abi.h', import.meta.url),
      'utf8',
    );
    assert.match(abi, /^#include "mmc_codes\.h"$/m);
    assert.doesNotMatch(abi, /= -\d/);
  });
});

describe('MmcError', () => {
  it('has operation, code, number and the name of its class', () => {
    const error = new MmcError(-3006, 'put');
    assert.deepEqual(
      [error.errno, error.code, error.name, error.operation],
      [-3006, 'MMC_DUPLICATED_OBJECT', 'MmcError', 'put'],
    );
    assert.match(error.message, /^put: MMC_DUPLICATED_OBJECT \(-3006\): /);
  });
});

describe('EngineLoadError', () => {
  it('has the advice in its message, and its cause', () => {
    const cause = new Error('dlopen');
    const error = new EngineLoadError('It does not load.', 'Build it.', { cause, errno: -1 });
    assert.equal(error.message, 'It does not load.\nBuild it.');
    assert.deepEqual([error.advice, error.cause], ['Build it.', cause]);
    assert.deepEqual([error.code, error.errno], ['MMC_ERROR', -1]);
    assert.equal('cause' in new EngineLoadError('a', 'b'), false);
  });
});
