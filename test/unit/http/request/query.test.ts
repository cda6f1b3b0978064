import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { parseQuery, printable, wholeNumber } from '../../../../src/http/request/query.ts';

function refuses(work: () => unknown, detail: RegExp): void {
  assert.throws(
    work,
    (error) =>
      error instanceof ProblemError &&
      error.slug === 'invalid-parameter' &&
      detail.test(error.message),
  );
}

describe('parseQuery', () => {
  it('reads each known parameter, in any order and encoding', () => {
    assert.deepEqual(parseQuery('b=2&a=1', ['a', 'b']), { a: '1', b: '2' });
    assert.deepEqual(parseQuery('%61=%31+1', ['a']), { a: '1 1' });
    assert.deepEqual(parseQuery('a=x=y', ['a']), { a: 'x=y' });
    assert.deepEqual(parseQuery('a&b=', ['a', 'b']), { a: '', b: '' });
    assert.deepEqual(parseQuery('', ['a']), {});
    assert.deepEqual(parseQuery('&&', []), {});
  });

  it('refuses an unknown parameter and names the known ones', () => {
    refuses(() => parseQuery('c=1', ['a', 'b']), /'c': this operation has a, b\./);
    refuses(() => parseQuery('A=1', ['a']), /'A'/);
    refuses(() => parseQuery('c', []), /this operation has none/);
    refuses(() => parseQuery('=1', ['a']), /''/);
    for (const name of ['__proto__', 'constructor', 'toString']) {
      refuses(() => parseQuery(`${name}=1`, ['a']), /Unknown query parameter/);
    }
  });

  it('refuses a duplicate parameter, also an empty one', () => {
    refuses(() => parseQuery('a=1&a=1', ['a']), /more than once/);
    refuses(() => parseQuery('a&a', ['a']), /more than once/);
  });

  it('refuses a % without two hexadecimal digits', () => {
    for (const query of ['a=%', 'a=%1', 'a=%zz', '%=1', 'a=1&%g0']) {
      refuses(() => parseQuery(query, ['a']), /hexadecimal/);
    }
  });

  it('parses or refuses any text, and never fails in another way', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        try {
          parseQuery(text, ['replicas', 'prefer', 'ifExists']);
        } catch (error) {
          assert.ok(error instanceof ProblemError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('wholeNumber', () => {
  it('accepts its limits and refuses one beyond each', () => {
    assert.equal(wholeNumber('n', '1', 1, 8), 1);
    assert.equal(wholeNumber('n', '8', 1, 8), 8);
    assert.equal(wholeNumber('n', '007', 1, 8), 7);
    refuses(() => wholeNumber('n', '0', 1, 8), /n=0: expected a whole number from 1 to 8/);
    refuses(() => wholeNumber('n', '9', 1, 8), /n=9/);
  });

  it('refuses everything but a decimal whole number', () => {
    const nonsense = [
      '',
      ' ',
      '1 ',
      '+1',
      '-1',
      '1.0',
      '1e0',
      '0x1',
      '1,2',
      '٣',
      'NaN',
      'Infinity',
    ];
    for (const text of [...nonsense, '1'.repeat(16), `${2 ** 64}`]) {
      refuses(() => wholeNumber('n', text, 0, 2 ** 53), /expected a whole number/);
    }
  });
});

describe('printable', () => {
  it('truncates at 64 characters and shows no quotes, control or invisible characters', () => {
    assert.equal(printable('a'.repeat(65)), 'a'.repeat(64));
    assert.equal(printable('a\r\nb"c\'d\u202Ee\u200Bf'), 'a��b�c�d�e�f');
    assert.equal(printable('été €'), 'été €');
  });
});
