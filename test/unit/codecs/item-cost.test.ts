import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ITEM_BYTES, itemCounter } from '../../../src/codecs/item-cost.ts';
import { readPut } from '../../../src/codecs/json/json-put.ts';
import { readKeys } from '../../../src/codecs/json/json-request.ts';
import { existsResults, infoResults, putResults } from '../../../src/codecs/json/json-results.ts';
import { keyLimit } from '../../../src/codecs/keys.ts';
import { MultipartDecoder } from '../../../src/codecs/multipart/multipart-decoder.ts';
import { readPartHead } from '../../../src/codecs/multipart/part-head.ts';
import { SafetensorsDecoder } from '../../../src/codecs/safetensors/safetensors-decoder.ts';
import { safetensorsEncoder } from '../../../src/codecs/safetensors/safetensors-encoder.ts';
import type { Block, DataInfo } from '../../../src/native/abi/types.ts';
import type { BatchCalls } from '../../../src/scheduler/batch-calls.ts';
import { batchStore } from '../../../src/store/batch/batch-store.ts';
import type { BatchWriter, ValueSink } from '../../../src/store/batch/batch-writer.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import { formOf } from '../../helpers/bodies/multipart.ts';
import { safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { smallArena } from '../../helpers/engine/scripted-batches.ts';
import { bytesPerItem } from '../../helpers/memory/heap-bytes.ts';

/** More than one engine call accepts, so that the memory of a single call does not count. */
const COUNT = 20_000;
const unbounded = { take: () => undefined, giveBack: () => undefined };
const keyOf = (index: number): string => `k${index}`;
const keys = (count: number) => Array.from({ length: count }, (_, index) => keyOf(index));
const body = (value: unknown) => Buffer.from(JSON.stringify(value));

/** An engine that never returns from a call that moves values, and returns `code` from every other. */
function engineOf(code: number, replicas: DataInfo['replicas'] = []) {
  const arena = smallArena(64 << 20);
  const blocks = new Set<Block>();
  const pending = <T>(_keys: readonly string[], used: readonly Block[]): Promise<T> => {
    for (const block of used) blocks.add(block);
    return new Promise(() => undefined);
  };
  const codesOf = (asked: readonly string[]) => new Int32Array(asked.length).fill(code);
  const calls: BatchCalls = {
    arena,
    put: pending,
    get: pending,
    replace: pending,
    exist: async (asked) => codesOf(asked),
    remove: async (asked) => codesOf(asked),
    query: async (asked) => ({
      codes: codesOf(asked),
      infos: asked.map(() => ({
        valid: code === 0,
        size: 1,
        replicas: replicas.map((replica) => ({ ...replica })),
      })),
    }),
  };
  return calls;
}

const store = {
  poolBytes: undefined,
  changed: () => undefined,
  reserve: () => new Promise(() => undefined),
} as unknown as ObjectStore;
const limits = { maxObjectBytes: 1 << 20, unsizedBytes: 1 << 20 };
const batchesOf = (calls: BatchCalls) =>
  batchStore({ of: () => calls, waiting: 0 }, store, { arenaWaitMs: 1000 });

type Form = keyof typeof ITEM_BYTES;

/** Measures the memory of an item: the constants of its form must cover it. */
async function covers(
  forms: Form | readonly Form[],
  make: (count: number) => unknown,
): Promise<void> {
  const counted = [forms].flat().reduce((sum, form) => sum + ITEM_BYTES[form], 0);
  const measured = Math.round(await bytesPerItem(COUNT, make));
  assert.ok(measured < counted, `${forms}: ${measured} bytes an item, ${counted} are counted`);
}

describe('ITEM_BYTES', { timeout: 120_000 }, () => {
  it('covers a key of exists and remove', async () => {
    const batches = batchesOf(engineOf(-3102));
    await covers('key', async (count) => {
      const read = await readKeys(body({ keys: keys(count) }), count);
      return [read, existsResults(read, await batches.exists(read))];
    });
  });

  it('covers a key of info with the most possible replicas', async () => {
    const replicas = Array.from({ length: 8 }, (_, serviceId) => ({
      serviceId,
      medium: 'DRAM' as const,
    }));
    const batches = batchesOf(engineOf(0, replicas));
    await covers('info', async (count) => {
      const read = await readKeys(body({ keys: keys(count) }), count);
      return [read, infoResults(read, await batches.stat(read))];
    });
  });

  it('covers a key of a batch get, missing or not', async () => {
    for (const code of [-3102, 0]) {
      const batches = batchesOf(engineOf(code));
      await covers('get', async (count) => {
        const read = await readKeys(body({ keys: keys(count) }), count);
        const plan = await batches.planRead(read);
        const encoder = await safetensorsEncoder(plan);
        return [read, plan, encoder, code === 0 ? batches.readWindow(plan, 0) : undefined];
      });
    }
  });

  const stored = async (writer: BatchWriter, refused: boolean) => {
    if (!refused) return [writer];
    const { keys: given, outcomes } = await writer.written();
    return [writer, putResults(given, outcomes)];
  };
  /** Values of one byte are with the engine or on their way to it; empty ones are refused. */
  for (const bytes of [0, 1]) {
    const reported = bytes === 0 ? 'that is refused' : 'whose value is being stored';
    const value = Buffer.alloc(bytes, 1);

    it(`covers an item of a JSON put ${reported}`, async () => {
      await covers(['put', 'value'], async (count) => {
        const writer = batchesOf(engineOf(0)).writer(limits);
        const items = keys(count).map((key) => ({ key, value: value.toString('base64') }));
        const text = body({ items });
        const read = await readPut(text, count);
        for (const { key, base64 } of read.items) {
          void writer.begin(key, bytes);
          for (const piece of base64) void writer.take(piece.subarray(0, bytes));
          void writer.finish();
        }
        return [read, text, await stored(writer, bytes === 0)];
      });
    });

    it(`covers a tensor ${reported}`, async () => {
      await covers('tensor', async (count) => {
        const writer = batchesOf(engineOf(0)).writer(limits);
        const file = safetensorsOf(keys(count).map((key) => [key, value]));
        const decoder = new SafetensorsDecoder(unpaused(writer), {
          bytes: file.length,
          maxHeaderBytes: 1 << 26,
          tensors: keyLimit(count),
          hold: unbounded,
        });
        await decoder.write(file);
        return [decoder, await stored(writer, bytes === 0)];
      });
    });

    it(`covers a part ${reported}`, async () => {
      await covers('part', async (count) => {
        const writer = batchesOf(engineOf(0)).writer(limits);
        const decoder = new MultipartDecoder(unpaused(writer), 'b', {
          parts: keyLimit(count),
          readHead: readPartHead,
        });
        const form = formOf(
          'b',
          keys(count).map((key) => [key, value, `Content-Length: ${bytes}\r\n`]),
        );
        for (let at = 0; at < form.length; at += 65_536) {
          await decoder.write(Buffer.from(form.subarray(at, at + 65_536)));
        }
        return [decoder, await stored(writer, bytes === 0)];
      });
    });
  }

  it('covers a value of a JSON put', async () => {
    await covers('value', async (count) => {
      const values = Array.from({ length: 200 }, () => 'AA==');
      const items = Array.from({ length: count / 200 }, (_, index) => ({
        key: keyOf(index),
        layers: values,
      }));
      return [await readPut(body({ items }), count)];
    });
  });

  it('counts two bytes for each character of a key, and the response ahead of a client', () => {
    let counted = 0;
    const add = (bytes: number) => {
      counted += bytes;
    };
    const count = itemCounter({ count: add }, 'key');
    count('abc');
    assert.equal(counted, ITEM_BYTES.key + 6 + 512);
    for (let n = 1; n < 512; n++) count('');
    const before = counted;
    count('ab', 3);
    assert.equal(counted - before, ITEM_BYTES.key + 4 + 3 * ITEM_BYTES.value);
  });
});

/** A sink that never pauses: its engine accepts any number of calls and returns from none. */
const unpaused = (writer: BatchWriter): ValueSink => ({
  begin: (key, bytes) => void writer.begin(key, bytes),
  take: (chunk) => void writer.take(chunk),
  finish: () => void writer.finish(),
});
