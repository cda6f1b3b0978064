import assert from 'node:assert/strict';

export type TensorEntry = { dtype: string; shape: number[]; data_offsets: [number, number] };

/** Returns a file with a header, which may be any text, and bytes. */
export function safetensorsFile(header: unknown, ...bytes: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...bytes]);
}

/** Returns a file with named values, one after another. */
export function safetensorsOf(values: readonly (readonly [string, Uint8Array])[]): Buffer {
  let at = 0;
  const entries = values.map(([name, { length }]): [string, TensorEntry] => {
    at += length;
    return [name, { dtype: 'U8', shape: [length], data_offsets: [at - length, at] }];
  });
  const header = Object.fromEntries(entries);
  return safetensorsFile(header, Buffer.concat(values.map(([, bytes]) => bytes)));
}

/** Returns the contents of a file; fails when it breaks a rule of the format. */
export function readSafetensors(file: Buffer) {
  const headerBytes = Number(file.readBigUInt64LE());
  assert.equal(headerBytes % 8, 0, 'the bytes are not aligned');
  const text = file.toString('utf8', 8, 8 + headerBytes);
  assert.match(text, /^\{.*\} *$/s);
  const header = JSON.parse(text) as Record<string, TensorEntry> & {
    __metadata__: Record<string, string>;
  };
  const { __metadata__: metadata, ...entries } = header;
  assert.ok(Object.values(metadata).every((value) => typeof value === 'string'));
  const bytes = file.subarray(8 + headerBytes);
  let at = 0;
  const tensors = new Map<string, Buffer>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(entries)) {
    assert.equal(dtype, 'U8');
    assert.deepEqual(shape, [offsets[1] - offsets[0]]);
    tensors.set(name, bytes.subarray(...offsets));
  }
  for (const [start, end] of Object.values(entries)
    .map((entry) => entry.data_offsets)
    .sort(([a, b], [c, d]) => a - c || b - d)) {
    assert.equal(start, at, 'there is a hole');
    at = end;
  }
  assert.equal(at, bytes.length);
  return { tensors, metadata };
}
