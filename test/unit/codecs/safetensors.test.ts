import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyLimit } from '../../../src/codecs/keys.ts';
import { SafetensorsDecoder } from '../../../src/codecs/safetensors/safetensors-decoder.ts';
import { safetensorsEncoder } from '../../../src/codecs/safetensors/safetensors-encoder.ts';
import { HeldBytes } from '../../../src/http/body/held-bytes.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import {
  readSafetensors,
  safetensorsFile,
  safetensorsOf,
} from '../../helpers/bodies/safetensors.ts';
import { decode, recordingSink } from '../../helpers/http/value-sink.ts';

const name = fc
  .string({ minLength: 1, maxLength: 20 })
  .filter((text) => text !== '__metadata__' && text !== '__proto__');
const values = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 40 })), {
  selector: ([key]) => key,
  maxLength: 8,
});
const cuts = fc.array(fc.nat(1500), { maxLength: 12 });

const bodyOf = (bytes: number | undefined, held = new HeldBytes(1 << 20)) => ({
  bytes,
  hold: held,
  maxHeaderBytes: 1 << 16,
  tensors: keyLimit(10),
});

describe('a safetensors body', () => {
  it('passes on every tensor completely, however the stream is split and however slow the sink is', async () => {
    await fc.assert(
      fc.asyncProperty(values, cuts, fc.boolean(), fc.boolean(), async (pairs, at, slow, sized) => {
        const file = safetensorsOf(pairs);
        const held = new HeldBytes(1 << 20);
        const sink = recordingSink(() => slow);
        const body = bodyOf(sized ? file.length : undefined, held);
        assert.equal(await decode(new SafetensorsDecoder(sink, body), file, at), undefined);
        // Names that are numbers come first in a JavaScript object, but the order of the bytes counts.
        const found = sink.values.map(({ key, bytes, announced }) => [key, bytes, announced]);
        const expected = pairs.map(([key, bytes]) => [key, Buffer.from(bytes), bytes.length]);
        assert.deepEqual(sorted(found), sorted(expected));
        assert.equal(held.held, 0);
      }),
    );
  });

  it('that is truncated passes on only complete tensors, and is refused', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.nat(2000), async (pairs, cut) => {
        const file = safetensorsOf(pairs);
        const held = new HeldBytes(1 << 20);
        const part = file.subarray(0, Math.min(cut, file.length - 1));
        const sink = recordingSink();
        const slug = await decode(new SafetensorsDecoder(sink, bodyOf(undefined, held)), part, []);
        assert.equal(slug, 'invalid-body');
        for (const { bytes, announced } of sink.values) assert.equal(bytes.length, announced);
        assert.equal(held.held, 0);
      }),
    );
  });

  it('holds only as many headers at the same time as the budget allows', async () => {
    const held = new HeldBytes(100);
    const file = safetensorsFile('{}'.padEnd(64));
    const first = new SafetensorsDecoder(recordingSink(), bodyOf(undefined, held));
    void first.write(file.subarray(0, 20));
    assert.equal(held.held, 64);
    const second = new SafetensorsDecoder(recordingSink(), bodyOf(undefined, held));
    assert.equal(await decode(second, file, []), 'arena-full');
    first.discard();
    first.discard();
    assert.equal(held.held, 0);
  });

  it('holds memory for the received part of its header, not for the announced length', async () => {
    const held = new HeldBytes(1 << 20);
    const file = safetensorsFile('{}'.padEnd(60_000));
    const decoder = new SafetensorsDecoder(recordingSink(), bodyOf(undefined, held));
    void decoder.write(file.subarray(0, 8));
    assert.equal(held.held, 0);
    void decoder.write(file.subarray(8, 9));
    assert.equal(held.held, 16 * 1024);
    void decoder.write(file.subarray(9, 40_000));
    assert.equal(held.held, 40_000 - 8);
    await decoder.write(file.subarray(40_000));
    assert.equal(held.held, 0);
    decoder.end();
  });

  it('is stopped for good by its owner, also while the sink pauses', async () => {
    const file = safetensorsOf([
      ['a', Buffer.from('1')],
      ['b', Buffer.from('2')],
    ]);
    const sink = recordingSink(() => true);
    const decoder = new SafetensorsDecoder(sink, bodyOf(undefined));
    const writing = decoder.write(file);
    decoder.discard();
    // On a busy machine the slice is used up by then, and the decoder is stopped at its pause.
    await Promise.resolve(writing).catch((error: unknown) =>
      assert.match(String(error), /the request ended/),
    );
    assert.deepEqual(sink.values, []);
  });
});

describe('a safetensors response', () => {
  it('obeys the rules of the format, and is decoded to its source', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.array(fc.boolean()), async (pairs, failing) => {
        const keys = pairs.map(([key]) => key);
        const problems = new Map(
          pairs.flatMap((_, i) => (failing[i] ? [[i, problemOfCode('read', -3102)] as const] : [])),
        );
        const sizes = Float64Array.from(pairs, ([, { length }], i) =>
          problems.has(i) ? 0 : length,
        );
        const encoder = await safetensorsEncoder({ keys, sizes, problems });
        const good = pairs.filter((_, i) => !problems.has(i));
        const file = Buffer.concat([...encoder.open(), ...good.map(([, bytes]) => bytes)]);
        assert.equal(file.length, encoder.contentLength);
        const { tensors, metadata } = readSafetensors(file);
        assert.deepEqual(
          sorted([...tensors]),
          sorted(good.map(([key, bytes]) => [key, Buffer.from(bytes)])),
        );
        assert.equal(metadata['failed'], String(problems.size));
      }),
    );
  });
});

const sorted = <T extends unknown[]>(list: T[]): T[] =>
  [...list].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
