import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ITEM_BYTES, itemCounter } from '../../../src/codecs/item-cost.ts';
import { readPut } from '../../../src/codecs/json-put.ts';
import { readKeys } from '../../../src/codecs/json-request.ts';
import { existsResults, infoResults, putResults } from '../../../src/codecs/json-results.ts';
import { keyLimit } from '../../../src/codecs/keys.ts';
import { MultipartDecoder } from '../../../src/codecs/multipart-decoder.ts';
import { readPartHead } from '../../../src/codecs/part-head.ts';
import { SafetensorsDecoder } from '../../../src/codecs/safetensors-decoder.ts';
import { safetensorsEncoder } from '../../../src/codecs/safetensors-encoder.ts';
import type { Block, DataInfo, EngineClient } from '../../../src/native/types.ts';
import { batchStore } from '../../../src/store/batch-store.ts';
import type { BatchWriter, ValueSink } from '../../../src/store/batch-writer.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import { bytesPerItem } from '../../helpers/heap-bytes.ts';
import { formOf } from '../../helpers/multipart.ts';
import { safetensorsOf } from '../../helpers/safetensors.ts';
import { smallArena } from '../../helpers/scripted-batches.ts';

/** More than one engine call takes, so that none of the memory is that of a single call. */
const COUNT = 20_000;
const unbounded = { take: () => undefined, giveBack: () => undefined };
const keyOf = (index: number): string => `k${index}`;
const keys = (count: number) => Array.from({ length: count }, (_, index) => keyOf(index));
const body = (value: unknown) => Buffer.from(JSON.stringify(value));

/** An engine that never answers a call that moves values, and answers `code` to every other. */
function engineOf(code: number, replicas: DataInfo['replicas'] = []) {
  const arena = smallArena(64 << 20);
  const blocks = new Set<Block>();
  const pending = <T>(_keys: readonly string[], used: readonly Block[]): Promise<T> => {
    for (const block of used) blocks.add(block);
    return new Promise(() => undefined);
  };
  const answer = async (asked: readonly string[], returned?: () => void) => {
    returned?.();
    return { code: 0, results: new Int32Array(asked.length).fill(code) };
  };
  const engine = {
    arena,
    deadlineMs: 60_000,
    calls: () => ({ slots: 16, inFlight: 0, late: 0, queued: 0 }),
    batchPut: pending,
    batchGet: pending,
    batchExist: answer,
    async batchQuery(asked: readonly string[], returned?: () => void) {
      returned?.();
      const info = () => ({
        valid: code === 0,
        size: 1,
        replicas: replicas.map((replica) => ({ ...replica })),
      });
      return { code: 0, infos: asked.map(info) };
    },
  } as unknown as EngineClient;
  return engine;
}

const store = {
  poolBytes: undefined,
  changed: () => undefined,
  reserve: () => new Promise(() => undefined),
} as unknown as ObjectStore;
const limits = { maxObjectBytes: 1 << 20, unsizedBytes: 1 << 20 };
const batchesOf = (engine: EngineClient) => batchStore(engine, store, { arenaWaitMs: 1000 });

type Form = keyof typeof ITEM_BYTES;

/** Measures what an item takes: the constants of its forms together cover that. */
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

  it('covers a key of info with as many replicas as there can be', async () => {
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
  /** Values of one byte are with the engine or on their way there; empty ones are refused. */
  for (const bytes of [0, 1]) {
    const told = bytes === 0 ? 'that is refused' : 'whose value is being stored';
    const value = Buffer.alloc(bytes, 1);

    it(`covers an item of a JSON put ${told}`, async () => {
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

    it(`covers a tensor ${told}`, async () => {
      await covers('tensor', async (count) => {
        const writer = batchesOf(engineOf(0)).writer(limits);
        const file = safetensorsOf(keys(count).map((key) => [key, value]));
        const decoder = new SafetensorsDecoder(unpaused(writer), {
          bytes: file.length,
          mostHeaderBytes: 1 << 26,
          tensors: keyLimit(count),
          hold: unbounded,
        });
        await decoder.write(file);
        return [decoder, await stored(writer, bytes === 0)];
      });
    });

    it(`covers a part ${told}`, async () => {
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

/** A sink that never asks for time: its engine takes any number of calls and answers none. */
const unpaused = (writer: BatchWriter): ValueSink => ({
  begin: (key, bytes) => void writer.begin(key, bytes),
  take: (chunk) => void writer.take(chunk),
  finish: () => void writer.finish(),
});
