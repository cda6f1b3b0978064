import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readExists, readGet, readKeys } from '../../../../src/codecs/json/json-request.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { isStorable } from '../../../../src/native/calls/key-bytes.ts';

const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter((text) => isStorable(text) && !/\p{Cc}/u.test(text) && !/\p{Surrogate}/u.test(text));

/** JSON in the style of another writer: every character escaped, and white space between all tokens. */
const escaped = (value: unknown): string =>
  JSON.stringify(value, undefined, 3).replaceAll(
    /[^ -~\n]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
  );

async function slugOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.slug;
    throw error;
  }
}

describe('the keys of a JSON body', () => {
  it('are those of the writer, in any style', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(key), async (keys) => {
        for (const write of [JSON.stringify, escaped]) {
          assert.deepEqual(await readKeys(Buffer.from(write({ keys })), 100), keys);
        }
      }),
    );
  });

  it('are accepted or refused exactly like JSON.parse does', async () => {
    const damage = fc.tuple(fc.nat(60), fc.nat(3), fc.constantFrom('', '"', '\\', ',', '\n', '0'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 4 }),
        damage,
        async (keys, [at, drop, insert]) => {
          const whole = JSON.stringify({ keys });
          const text = whole.slice(0, at) + insert + whole.slice(at + drop);
          const slug = await slugOf(() => readKeys(Buffer.from(text), 100));
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
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('are at most as many as the limit', async () => {
    const body = Buffer.from('{"keys":["a","b"]}');
    assert.deepEqual(await readKeys(body, 2), ['a', 'b']);
    assert.equal(await slugOf(() => readKeys(body, 1)), 'batch-too-large');
  });

  it('may be long strings with and without escapes', async () => {
    for (const text of ['x'.repeat(255), `${'é'.repeat(127)}x`]) {
      for (const write of [JSON.stringify, escaped]) {
        assert.deepEqual(await readKeys(Buffer.from(write({ keys: [text] })), 1), [text]);
      }
    }
    for (const text of [`${'x'.repeat(300)}\\`, '\\"'.repeat(300), 'x'.repeat(300)]) {
      assert.equal(
        await slugOf(() => readKeys(Buffer.from(`{"keys":["${text}`), 1)),
        'invalid-body',
      );
    }
  });
});

describe('the layers of a JSON body', () => {
  const read = (layers: unknown) =>
    readGet(Buffer.from(JSON.stringify({ keys: ['a'], layers })), 1);

  it('are given like in a query, and are optional', async () => {
    assert.deepEqual((await read({ sizes: '5x2', select: '0-1' })).layers, {
      sizes: '5x2',
      select: '0-1',
    });
    assert.deepEqual((await read({ layout: 'r1' })).layers, { layout: 'r1' });
    assert.equal((await read(undefined)).layers, undefined);
  });

  it('are refused with any other member, and in bodies that have only keys', async () => {
    for (const layers of [[], 'x', { sizes: 5 }, { size: '5' }, null]) {
      assert.equal(await slugOf(() => read(layers)), 'invalid-body');
    }
    const twice = Buffer.from('{"keys":[],"layers":{"sizes":"1","sizes":"1"}}');
    assert.equal(await slugOf(() => readGet(twice, 1)), 'invalid-body');
    assert.equal(
      await slugOf(() => readKeys(Buffer.from('{"keys":[],"layers":{"sizes":"1"}}'), 1)),
      'invalid-body',
    );
  });
});

describe('the member "until" of a JSON body', () => {
  const read = (text: string) => readExists(Buffer.from(text), 2);

  it('is optional, and stands before or after the keys', async () => {
    for (const [text, untilMissing] of [
      ['{"keys":["a"]}', false],
      ['{"keys":["a"],"until":"missing"}', true],
      ['{"until":"missing","keys":["a"]}', true],
    ] as const) {
      assert.deepEqual(await read(text), { keys: ['a'], untilMissing });
    }
  });

  it('is refused with another value, twice, without keys, and in bodies that do not know it', async () => {
    for (const until of [
      '"found"',
      '""',
      '"Missing"',
      'true',
      'null',
      '[]',
      '"missing","until":"missing"',
    ]) {
      assert.equal(await slugOf(() => read(`{"keys":["a"],"until":${until}}`)), 'invalid-body');
    }
    assert.equal(await slugOf(() => read('{"until":"missing"}')), 'invalid-body');
    const text = Buffer.from('{"keys":["a"],"until":"missing"}');
    assert.equal(await slugOf(() => readKeys(text, 1)), 'invalid-body');
    assert.equal(await slugOf(() => readGet(text, 1)), 'invalid-body');
  });
});
