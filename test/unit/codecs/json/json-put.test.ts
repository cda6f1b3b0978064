import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodedBytes, decodePieces } from '../../../../src/codecs/json/base64.ts';
import { readLayersPut, readPut } from '../../../../src/codecs/json/json-put.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { isStorable } from '../../../../src/native/calls/key-bytes.ts';

const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter((text) => isStorable(text) && !/\p{Cc}/u.test(text) && !/\p{Surrogate}/u.test(text));

async function slugOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.slug;
    throw error;
  }
}

const sizeOf = (base64: readonly Buffer[]): number =>
  base64.reduce((sum, text) => sum + decodedBytes(text), 0);
const bytesOf = (base64: readonly Buffer[]): Buffer =>
  Buffer.concat(base64.flatMap((text) => [...decodePieces(text)]));

describe('the values of a JSON body', () => {
  const value = fc.uint8Array({ maxLength: 300 });

  it('are the bytes of the writer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(key, value)), async (pairs) => {
        const items = pairs.map(([name, bytes]) => ({
          value: Buffer.from(bytes).toString('base64'),
          key: name,
        }));
        const read = await readPut(
          Buffer.from(JSON.stringify({ items, replicas: 2, prefer: [1] })),
          100,
        );
        assert.deepEqual(read.put, { options: { replicas: 2, prefer: [1] }, ifExists: 'fail' });
        for (const [n, [name, bytes]] of pairs.entries()) {
          const item = read.items[n];
          assert.ok(item);
          assert.equal(item.key, name);
          assert.equal(sizeOf(item.base64), bytes.length);
          assert.deepEqual(bytesOf(item.base64), Buffer.from(bytes));
        }
      }),
    );
  });

  it('can be split into pieces', async () => {
    for (const size of [49_151, 49_152, 49_153, 200_000]) {
      const bytes = Buffer.alloc(size, 'abc');
      const text = bytes.toString('base64').replaceAll('/', '\\/');
      const { items } = await readPut(Buffer.from(`{"items":[{"key":"a","value":"${text}"}]}`), 1);
      assert.ok(items[0]);
      assert.equal(sizeOf(items[0].base64), size);
      assert.ok(bytesOf(items[0].base64).equals(bytes));
    }
  });

  it('may have every character escaped, as some writers do', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const base64 = Buffer.concat([bytes, Buffer.from('+/=')]).toString('base64');
    const long = Buffer.alloc(100_000, 'abc?').toString('base64');
    for (const text of [base64, long]) {
      for (const written of [
        text.replaceAll('/', '\\/'),
        text.replaceAll('=', '\\u003d').replaceAll('+', '\\u002B'),
        text.replaceAll(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
      ]) {
        const { items } = await readPut(
          Buffer.from(`{"items":[{"key":"a","value":"${written}"},{"key":"b","value":"YQ=="}]}`),
          2,
        );
        assert.equal(bytesOf(items[0]?.base64 ?? []).toString('base64'), text);
        assert.equal(bytesOf(items[1]?.base64 ?? []).toString(), 'a');
      }
    }
    for (const fault of ['\\n', '\\"', '\\\\', '\\u00e9', '\\u0141', '\\u12', '\\x', '\\u004']) {
      assert.equal(
        await slugOf(() =>
          readPut(Buffer.from(`{"items":[{"key":"a","value":"YQ${fault}=="}]}`), 1),
        ),
        'invalid-body',
        fault,
      );
    }
  });

  it('are refused if they are not base64, wherever the fault is', async () => {
    const good = Buffer.alloc(150_000, 'abc').toString('base64');
    for (const at of [0, 65_535, 65_536, 131_072, good.length - 1]) {
      for (const fault of ['=', '-', ' ', '\\n', 'é']) {
        const text = good.slice(0, at) + fault + good.slice(at + 1);
        const body = Buffer.from(`{"items":[{"key":"a","value":"${text}"}]}`);
        if (fault === '=' && at === good.length - 1) continue;
        assert.equal(await slugOf(() => readPut(body, 1)), 'invalid-body', `${fault} at ${at}`);
      }
    }
  });
});

describe('the layers of a value in a JSON body', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const putOf = (item: object) => readPut(Buffer.from(JSON.stringify({ items: [item] })), 255);
  const layersOf = (layers: unknown) => readLayersPut(Buffer.from(JSON.stringify({ layers })));

  it('are concatenated to its bytes', async () => {
    const layers = ['a', 'bc', 'def', 'g'.repeat(70_000)];
    const { items } = await putOf({ key: 'k', layers: layers.map(base64) });
    assert.equal(bytesOf(items[0]?.base64 ?? []).toString(), layers.join(''));
    assert.equal(bytesOf(await layersOf(layers.map(base64))).toString(), layers.join(''));
  });

  it('are at most 255, and none is empty', async () => {
    const most = Array.from({ length: 255 }, () => base64('x'));
    assert.equal((await putOf({ key: 'k', layers: most })).items[0]?.base64.length, 255);
    assert.equal((await layersOf(most)).length, 255);
    for (const layers of [
      [...most, base64('x')],
      [],
      [''],
      [base64('a'), ''],
      'eA==',
      [5],
      ['x'],
    ]) {
      assert.equal(await slugOf(() => putOf({ key: 'k', layers })), 'invalid-body');
      assert.equal(await slugOf(() => layersOf(layers)), 'invalid-body');
    }
  });

  it('replace a value, and cannot be combined with one', async () => {
    for (const item of [
      { key: 'k', layers: [base64('a')], value: base64('a') },
      { key: 'k' },
      { layers: [base64('a')] },
    ]) {
      assert.equal(await slugOf(() => putOf(item)), 'invalid-body');
    }
    for (const body of ['{}', '{"layers":["YQ=="],"layers":["YQ=="]}', '{"layer":["YQ=="]}']) {
      assert.equal(await slugOf(() => readLayersPut(Buffer.from(body))), 'invalid-body');
    }
  });
});
