import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readTransfer } from '../../../../src/codecs/json/json-buffers.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';

const read = (text: string, most = 100) =>
  readTransfer(Buffer.from(text), 'put', most, () => undefined);

async function complaintAbout(text: string): Promise<string | undefined> {
  try {
    await read(text);
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.message;
    throw error;
  }
}

const number = fc.nat(2 ** 40);
const range = fc.record({ offset: number, size: number.map((size) => size + 1) });
const key = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text));
const item = fc.oneof(
  fc.tuple(key, range).map(([name, { offset, size }]) => ({ key: name, offset, size })),
  fc.record({ key, layers: fc.array(range, { minLength: 1, maxLength: 4 }) }),
);

describe('the items of a transfer', () => {
  it('are those of the writer, with names that are escaped or not, in any order', async () => {
    const escapedNames = (text: string) =>
      text.replaceAll(/"(key|offset|size|layers)":/g, (_, name: string) => {
        const first = name.charCodeAt(0).toString(16).padStart(4, '0');
        return `"\\u${first}${name.slice(1)}" :`;
      });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 6 }), async (items) => {
        const text = JSON.stringify({ items });
        const reversed = items.map((one) => Object.fromEntries(Object.entries(one).reverse()));
        for (const body of [text, escapedNames(text), JSON.stringify({ items: reversed })]) {
          const found = (await read(body)).items.map(({ key: name, ranges, hasLayers }) =>
            hasLayers ? { key: name, layers: ranges } : { key: name, ...ranges[0] },
          );
          assert.deepEqual({ items: found }, JSON.parse(text));
        }
      }),
    );
  });

  it('are refused where JSON.parse refuses them', async () => {
    const damage = fc.tuple(fc.nat(90), fc.nat(3), fc.constantFrom('', '"', '\\', ',', 'key', '0'));
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 3 }), damage, async (items, damaged) => {
        const [at, drop, insert] = damaged;
        const whole = JSON.stringify({ items });
        const text = whole.slice(0, at) + insert + whole.slice(at + drop);
        try {
          JSON.parse(text);
        } catch {
          assert.notEqual(await complaintAbout(text), undefined, text);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are refused with the place of the fault', async () => {
    const good = '{"key":"a","offset":0,"size":1}';
    const cases: [item: string, complaint: RegExp][] = [
      ['{"key":"a","offset":0,"size":1,"key":"b"}', /member "key" twice in items\[1\]/],
      ['{"key":"a","offset":0,"offset":1,"size":1}', /member "offset" twice in items\[1\]/],
      ['{"key":"a","size":1,"offset":0,"size":1}', /member "size" twice in items\[1\]/],
      ['{"key":"a","layers":[{"offset":0,"size":1}],"layers":[]}', /"layers" twice in items\[1\]/],
      ['{"key":"a","layers":[{"offset":0,"size":1}],"size":1}', /and "offset" or "size"/],
      ['{"key":"a","layers":[]}', /no layers in items\[1\]/],
      ['{"key":"a","offset":0,"Size":1}', /Size/],
      ['{"key":"a","offset":0}', /needs "offset" and "size", or "layers", in items\[1\]/],
      ['{"offset":0,"size":1}', /needs "key" in items\[1\]/],
      ['{"key":"","offset":0,"size":1}', /^items\[1\]\.key is empty/],
      ['{"key":"a","offset":-1,"size":1}', /"offset" below 0 in items\[1\]/],
      ['{"key":"a","offset":0,"size":0}', /"size" below 1 in items\[1\]/],
      ['{"key":"a","layers":[{"offset":0,"size":0}]}', /below 1 in items\[1\]\.layers\[0\]/],
      ['{"key":"a","offset"":0,"size":1}', /a colon/],
    ];
    for (const [bad, complaint] of cases) {
      const text = `{"items":[${good},${bad}]}`;
      assert.match((await complaintAbout(text)) ?? 'accepted', complaint, text);
    }
  });

  it('are as many as the batch may have, and no more', async () => {
    const items = Array.from({ length: 3 }, (_, n) => ({ key: `k-${n}`, offset: n, size: 1 }));
    const text = JSON.stringify({ items });
    assert.equal((await read(text, 3)).items.length, 3);
    await assert.rejects(read(text, 2), { slug: 'batch-too-large' });
  });
});
