/** A value whose length is known before it is sent. */
export type SizedBytes = Uint8Array | ArrayBuffer | Blob | string;

type BlobParts = ConstructorParameters<typeof Blob>[0];

/** The offset of the first value is a multiple of this, as in other writers of the format. */
const ALIGNMENT = 8;
const encoder = new TextEncoder();

/**
 * A safetensors file in which each value is a tensor of its bytes. It is a Blob, because that is the only
 * body of several parts which is sent with Content-Length in Node and browsers, and which can be sent
 * again. The header is built as text: an object would move names that are numbers to the front.
 */
export function safetensorsOf(values: Iterable<readonly [name: string, value: SizedBytes]>): Blob {
  const parts: Exclude<SizedBytes, string>[] = [];
  const entries: string[] = [];
  let at = 0;
  for (const [name, value] of values) {
    const part = typeof value === 'string' ? encoder.encode(value) : value;
    const bytes = part instanceof Blob ? part.size : part.byteLength;
    const offsets = `[${at},${at + bytes}]`;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"U8","shape":[${bytes}],"data_offsets":${offsets}}`,
    );
    parts.push(part);
    at += bytes;
  }
  const header = encoder.encode(`{${entries.join(',')}}`);
  const padded = Math.ceil(header.length / ALIGNMENT) * ALIGNMENT;
  const start = new Uint8Array(8 + padded).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true);
  start.set(header, 8);
  return new Blob([start, ...parts] as BlobParts);
}
