import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { openSafetensors } from '../../../packages/client/src/safetensors/reader.ts';
import { safetensorsOf } from '../../../packages/client/src/safetensors/writer.ts';
import * as format from '../../helpers/bodies/safetensors.ts';

/** Names that an object would reorder, names that need escapes, and values of all lengths. */
const values = [
  ['b', randomBytes(3)],
  ['10', randomBytes(1)],
  ['2', randomBytes(17)],
  ['__proto__', randomBytes(2)],
  ['"\\\u00fc\u{1f600}', randomBytes(5)],
  ['empty', Buffer.alloc(0)],
  ['last', randomBytes(1)],
] as const;

const file = format.safetensorsFile(
  `{"__metadata__":{"failed":"0"},${values
    .map(([name, { length }], index) => {
      const at = values.slice(0, index).reduce((sum, [, bytes]) => sum + bytes.length, 0);
      return `${JSON.stringify(name)}:{"dtype":"U8","shape":[${length}],"data_offsets":[${at},${at + length}]}`;
    })
    .join(',')}}`,
  ...values.map(([, bytes]) => bytes),
);

function streamOf(chunks: readonly Uint8Array[], onCancel = (): void => undefined) {
  const left = [...chunks];
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: onCancel,
  });
}

async function readAll(chunks: readonly Uint8Array[]) {
  const { tensors, metadata, next, end } = await openSafetensors(streamOf(chunks));
  const read: [string, Buffer][] = [];
  for (const { name } of tensors) read.push([name, Buffer.from(await next())]);
  await end();
  return { read, metadata };
}

const expected = values.map(([name, bytes]): [string, Buffer] => [name, bytes]);

describe('a safetensors file that the client reads', () => {
  it('is read correctly however it is split into chunks', async () => {
    for (let at = 0; at <= file.length; at++) {
      const { read, metadata } = await readAll([file.subarray(0, at), file.subarray(at)]);
      assert.deepEqual(read, expected, `cut at ${at}`);
      assert.deepEqual(metadata, { failed: '0' });
    }
    const single = Array.from(file, (_, at) => file.subarray(at, at + 1));
    assert.deepEqual((await readAll(single)).read, expected);
  });

  it('is refused if its end is missing, at every byte', async () => {
    for (let at = 0; at < file.length; at++) {
      await assert.rejects(readAll([file.subarray(0, at)]), {
        name: 'TypeError',
        message: /broke off: \d+ bytes are missing/,
      });
    }
    await assert.rejects(openSafetensors(null), TypeError);
  });

  it('must not have bytes after its last tensor', async () => {
    await assert.rejects(readAll([file, Buffer.from('x')]), SyntaxError);
  });

  it('returns values that hold no more memory than their bytes', async () => {
    const { tensors, next } = await openSafetensors(streamOf([file]));
    for (const { bytes } of tensors) assert.equal((await next()).buffer.byteLength, bytes);
  });

  it('can be read as a stream, which fails where the response breaks off', async () => {
    const bytes = randomBytes(1000);
    const one = format.safetensorsOf([['a', bytes]]);
    for (const at of [0, 1, one.length - 1000, one.length - 1, one.length]) {
      const chunks = [one.subarray(0, at), one.subarray(at)];
      const { rest } = await openSafetensors(streamOf(chunks));
      const read = await new Response(rest()).arrayBuffer();
      assert.ok(Buffer.from(read).equals(bytes), `cut at ${at}`);
    }
    for (const wrong of [one.subarray(0, -1), Buffer.concat([one, Buffer.alloc(1)])]) {
      const { rest } = await openSafetensors(streamOf([wrong]));
      await assert.rejects(new Response(rest()).arrayBuffer());
    }
  });

  it('is cancelled if it is invalid', async () => {
    const wrong = [
      Buffer.alloc(8, 0xff),
      format.safetensorsFile('no JSON'),
      format.safetensorsFile({ a: { data_offsets: [1, 2] } }),
      format.safetensorsFile({ a: { data_offsets: [0, -1] } }),
      format.safetensorsFile({ a: { data_offsets: [0, 2] }, b: { data_offsets: [1, 3] } }),
      format.safetensorsFile({ a: { data_offsets: ['0', '2'] } }),
    ];
    for (const bytes of wrong) {
      let cancelled = false;
      const stream = streamOf([bytes, bytes], () => {
        cancelled = true;
      });
      await assert.rejects(openSafetensors(stream), SyntaxError, bytes.toString());
      assert.ok(cancelled, bytes.toString());
    }
  });
});

describe('a safetensors file that the client writes', () => {
  it('obeys all rules of the format, in the given order', async () => {
    const blob = safetensorsOf(values);
    const bytes = Buffer.from(await blob.arrayBuffer());
    assert.equal(blob.size, bytes.length);
    assert.deepEqual((await readAll([bytes])).read, expected);
    const headerBytes = Number(bytes.readBigUInt64LE());
    assert.equal(headerBytes % 8, 0);
    assert.match(bytes.toString('utf8', 8, 8 + headerBytes), /^\{"b":\{"dtype":"U8","shape":\[3\]/);
  });

  it('accepts a value in every form that has a length', async () => {
    const text = 'ü\u{1f600}';
    const bytes = Buffer.from(text);
    const forms = {
      text,
      bytes,
      buffer: new Uint8Array(bytes).buffer,
      blob: new Blob([text]),
      part: Buffer.concat([Buffer.from('x'), bytes]).subarray(1),
    };
    const blob = safetensorsOf(Object.entries(forms));
    const { read } = await readAll([Buffer.from(await blob.arrayBuffer())]);
    assert.deepEqual(
      read,
      Object.keys(forms).map((name) => [name, bytes]),
    );
  });
});
