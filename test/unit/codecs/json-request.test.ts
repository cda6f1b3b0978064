import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodedBytes, decodePieces, readKeys, readPut } from '../../../src/codecs/json-request.ts';
import { ProblemError } from '../../../src/errors.ts';
import { isStorable } from '../../../src/native/key-bytes.ts';

const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter((text) => isStorable(text) && !/\p{Cc}/u.test(text) && !/\p{Surrogate}/u.test(text));

/** JSON in another writer's hand: every character escaped, and room between everything. */
const escaped = (value: unknown): string =>
  JSON.stringify(value, undefined, 3).replaceAll(
    /[^ -~\n]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
  );

function slugOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.slug;
    throw error;
  }
}

describe('the keys of a JSON body', () => {
  it('are those that were written, whoever wrote them', () => {
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        for (const write of [JSON.stringify, escaped]) {
          assert.deepEqual(readKeys(Buffer.from(write({ keys })), 100), keys);
        }
      }),
    );
  });

  it('are read or refused exactly where JSON.parse says so', () => {
    const damage = fc.tuple(fc.nat(60), fc.nat(3), fc.constantFrom('', '"', '\\', ',', '\n', '0'));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 4 }), damage, (keys, [at, drop, insert]) => {
        const whole = JSON.stringify({ keys });
        const text = whole.slice(0, at) + insert + whole.slice(at + drop);
        const slug = slugOf(() => readKeys(Buffer.from(text), 100));
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          // A key may have been refused before the fault was reached.
          assert.notEqual(slug, undefined, text);
          return;
        }
        const found = (parsed as { keys?: unknown }).keys;
        const isList = Array.isArray(found) && found.every((item) => typeof item === 'string');
        if (slug === undefined) assert.ok(isList, text);
        else if (slug === 'invalid-key') assert.ok(isList, text);
      }),
      { numRuns: 2000 },
    );
  });

  it('are no more than the limit', () => {
    const body = Buffer.from('{"keys":["a","b"]}');
    assert.deepEqual(readKeys(body, 2), ['a', 'b']);
    assert.equal(
      slugOf(() => readKeys(body, 1)),
      'batch-too-large',
    );
  });

  it('may be long strings with and without escapes', () => {
    for (const text of ['x'.repeat(255), `${'é'.repeat(127)}x`]) {
      for (const write of [JSON.stringify, escaped]) {
        assert.deepEqual(readKeys(Buffer.from(write({ keys: [text] })), 1), [text]);
      }
    }
    for (const text of [`${'x'.repeat(300)}\\`, '\\"'.repeat(300), 'x'.repeat(300)]) {
      assert.equal(
        slugOf(() => readKeys(Buffer.from(`{"keys":["${text}`), 1)),
        'invalid-body',
      );
    }
  });
});

describe('the values of a JSON body', () => {
  const value = fc.uint8Array({ maxLength: 300 });

  it('are the bytes that were written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), (pairs) => {
        const items = pairs.map(([name, bytes]) => ({
          value: Buffer.from(bytes).toString('base64'),
          key: name,
        }));
        const read = readPut(Buffer.from(JSON.stringify({ items, replicas: 2, prefer: [1] })), 100);
        assert.deepEqual(read.put, { options: { replicas: 2, prefer: [1] }, ifExists: 'fail' });
        for (const [n, [name, bytes]] of pairs.entries()) {
          const item = read.items[n];
          assert.ok(item);
          assert.equal(item.key, name);
          assert.equal(decodedBytes(item.base64), bytes.length);
          assert.deepEqual(Buffer.concat([...decodePieces(item.base64)]), Buffer.from(bytes));
        }
      }),
    );
  });

  it('are cut into pieces without harm', () => {
    for (const size of [49_151, 49_152, 49_153, 200_000]) {
      const bytes = Buffer.alloc(size, 'abc');
      const text = bytes.toString('base64').replaceAll('/', '\\/');
      const { items } = readPut(Buffer.from(`{"items":[{"key":"a","value":"${text}"}]}`), 1);
      assert.ok(items[0]);
      assert.equal(decodedBytes(items[0].base64), size);
      assert.ok(Buffer.concat([...decodePieces(items[0].base64)]).equals(bytes));
    }
  });

  it('are refused when they are not base64, wherever the fault is', () => {
    const good = Buffer.alloc(150_000, 'abc').toString('base64');
    for (const at of [0, 65_535, 65_536, 131_072, good.length - 1]) {
      for (const fault of ['=', '-', ' ', '\\n', 'é']) {
        const text = good.slice(0, at) + fault + good.slice(at + 1);
        const body = Buffer.from(`{"items":[{"key":"a","value":"${text}"}]}`);
        if (fault === '=' && at === good.length - 1) continue;
        assert.equal(
          slugOf(() => readPut(body, 1)),
          'invalid-body',
          `${fault} at ${at}`,
        );
      }
    }
  });
});
