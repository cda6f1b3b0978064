import assert from 'node:assert/strict';

export interface Part {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Returns the parts of a multipart/mixed body, cut by Content-Length; fails on any other bytes. */
export function readMixed(contentType: string | undefined, body: Buffer): Part[] {
  const boundary = /^multipart\/mixed; boundary=([\w-]+)$/.exec(contentType ?? '')?.[1];
  assert.ok(boundary, contentType);
  const parts: Part[] = [];
  let at = 0;
  const expect = (text: string) => {
    assert.equal(body.toString('latin1', at, at + text.length), text, `at byte ${at}`);
    at += text.length;
  };
  for (;;) {
    expect(`--${boundary}`);
    if (body.toString('latin1', at, at + 2) === '--') break;
    expect('\r\n');
    const end = body.indexOf('\r\n\r\n', at);
    const lines = body.toString('latin1', at, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
      }),
    );
    at = end + 4;
    const bytes = Number(headers['content-length']);
    parts.push({ headers, body: body.subarray(at, at + bytes) });
    at += bytes;
    expect('\r\n');
  }
  expect('--\r\n');
  assert.equal(at, body.length);
  return parts;
}

/** Returns a minimal form-data body; `head` adds to the headers of a part. */
export function formOf(
  boundary: string,
  values: readonly (readonly [name: string, bytes: Uint8Array, head?: string])[],
): Buffer {
  const parts = values.flatMap(([name, bytes, head = '']) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n${head}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
}
