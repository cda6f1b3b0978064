import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { multipartEncoder } from '../../../src/codecs/multipart/multipart-encoder.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import { formOf, readMixed } from '../../helpers/bodies/multipart.ts';
import { decode, formDecoder, recordingSink } from '../../helpers/http/value-sink.ts';

const name = fc.stringMatching(/^[a-zA-Z0-9/é🗝 .-]{1,20}$/u);
/** Bytes that look like delimiters and headers. */
const tricky = fc
  .constantFrom('\r\n--b', '\r\n--', '--b--', '\r\n\r\n', '\r', '\n', '\r\n--c')
  .map((text) => Buffer.from(text));
const bytes = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: 30 }), tricky), { maxLength: 4 })
  .map((pieces) => Buffer.concat(pieces))
  .filter((value) => !value.includes('\r\n--b') && !value.toString('latin1').startsWith('--b'));
const values = fc.array(fc.tuple(name, bytes, fc.boolean()), { maxLength: 8 });
const cuts = fc.array(fc.nat(900), { maxLength: 12 });

const formFrom = (parts: readonly (readonly [string, Buffer, boolean])[]) =>
  formOf(
    'b',
    parts.map(([key, value, sized]) => [
      key,
      value,
      sized ? `Content-Length: ${value.length}\r\n` : '',
    ]),
  );

describe('a multipart body', () => {
  it('passes on every part completely, however the stream is split and however slow the sink is', async () => {
    await fc.assert(
      fc.asyncProperty(values, cuts, fc.boolean(), async (parts, at, slow) => {
        const sink = recordingSink(() => slow);
        const slug = await decode(formDecoder(sink), formFrom(parts), at);
        assert.equal(slug, undefined);
        assert.deepEqual(
          sink.values,
          parts.map(([key, value, sized]) => ({
            key,
            bytes: value,
            announced: sized ? value.length : undefined,
          })),
        );
      }),
    );
  });

  it('of large parts never waits for bytes that will not arrive', async () => {
    for (const size of [1000, 16_384, 65_536, 100_000]) {
      for (const slow of [false, true]) {
        const body = formFrom([
          ['a', Buffer.alloc(1 << 20, 'a'), false],
          ['b', Buffer.alloc(300_000, 'b'), true],
        ]);
        const ends = Array.from({ length: Math.ceil(body.length / size) }, (_, i) => i * size);
        const sink = recordingSink(() => slow);
        assert.equal(await decode(formDecoder(sink, 2), body, ends), undefined);
        assert.deepEqual(
          sink.values.map((value) => value.bytes.length),
          [1 << 20, 300_000],
        );
      }
    }
  });

  it('that is truncated anywhere is refused, and its last part is not passed on', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.nat(900), cuts, async (parts, cut, at) => {
        const form = formFrom(parts);
        // Only the line break after the last delimiter may be missing at the end.
        const part = form.subarray(0, Math.min(cut, form.length - 3));
        const sink = recordingSink();
        const slug = await decode(formDecoder(sink), part, at);
        assert.equal(slug, 'invalid-body');
        for (const [i, value] of sink.values.entries()) {
          assert.deepEqual(value.bytes, parts[i]?.[1]);
        }
      }),
    );
  });
});

describe('the headers of a part', () => {
  const named = 'Content-Disposition: form-data; name=customer-123456789';
  const bodyOf = (head: string) => Buffer.from(`--b\r\n${head}\r\n\r\nabc\r\n--b--\r\n`);
  /** The key under which a body of one part is stored, or the reason for its refusal. */
  async function keyOf(head: string, cuts: readonly number[] = []): Promise<string | undefined> {
    const sink = recordingSink();
    const slug = await decode(formDecoder(sink), bodyOf(head), cuts);
    return slug ?? sink.values[0]?.key;
  }
  const key = 'customer-123456789';

  it('have at most 16 KiB, however they arrive: one byte more is refused, and no key is truncated', async () => {
    const padded = (bytes: number) => `X: ${'a'.repeat(bytes - 5 - named.length)}\r\n${named}`;
    assert.equal(padded(16_384).length, 16_384);
    const ends = Array.from({ length: 17 }, (_, i) => i * 1000);
    const last = Array.from({ length: 80 }, (_, i) => 16_340 + i);
    for (const cuts of [[], ends, last]) {
      for (let bytes = 16_300; bytes <= 16_384; bytes += cuts.length === 0 ? 1 : 21) {
        assert.equal(await keyOf(padded(bytes), cuts), key, String(bytes));
      }
      for (const bytes of [16_385, 16_386, 16_387, 16_388, 16_389, 20_000, 100_000]) {
        assert.equal(await keyOf(padded(bytes), cuts), 'invalid-body', String(bytes));
      }
    }
  });

  it('are at most 64, and one more is refused, wherever the name is', async () => {
    const others = (count: number) => Array.from({ length: count }, (_, i) => `X${i}: a`);
    for (const [count, found] of [
      [63, key],
      [64, 'invalid-body'],
    ] as const) {
      assert.equal(await keyOf([named, ...others(count)].join('\r\n')), found);
      assert.equal(await keyOf([...others(count), named].join('\r\n')), found);
    }
    const short = [named, ...others(62), 'Content-Length: 2'];
    assert.equal(await keyOf(short.join('\r\n')), 'invalid-body');
  });

  it('may continue in a line that begins with a blank, and are all checked', async () => {
    assert.equal(await keyOf('Content-Disposition: form-data;\r\n\tname=a'), 'a');
    assert.equal(await keyOf('CONTENT-disposition:form-data; name=a \t'), 'a');
    for (const line of ['nonsense', ': a', 'X : a', ' X: a', 'X\r: a', 'X: a\rb', 'X: a\nb', '']) {
      assert.equal(await keyOf(`${line}\r\n${named}`), 'invalid-body', line);
    }
    assert.equal(await keyOf(`${named}\r\nnonsense`), 'invalid-body');
  });

  it('cost time in proportion to their length', async () => {
    const start = process.cpuUsage();
    for (let i = 0; i < 20; i++) {
      assert.equal(await keyOf(`X: ${' '.repeat(16_000)}a\r\n${named}`), key);
    }
    assert.ok(process.cpuUsage(start).user < 2_000_000);
  });
});

describe('a delimiter of a multipart body', () => {
  const head = 'Content-Disposition: form-data; name=';

  it('may have up to 256 blanks after it', async () => {
    for (const [blanks, keys] of [
      [' ', ['a', 'c']],
      ['\t \t', ['a', 'c']],
      [' '.repeat(256), ['a', 'c']],
      [' '.repeat(257), undefined],
    ] as const) {
      const body = `--b${blanks}\r\n${head}a\r\n\r\n1\r\n--b${blanks}\r\n${head}c\r\n\r\n2\r\n--b--${blanks}\r\n`;
      for (const size of [1, 7, body.length]) {
        const cuts = Array.from({ length: Math.ceil(body.length / size) }, (_, i) => i * size);
        const sink = recordingSink();
        const slug = await decode(formDecoder(sink), Buffer.from(body), cuts);
        if (keys === undefined) assert.equal(slug, 'invalid-body');
        else assert.deepEqual([slug, sink.values.map((value) => value.key)], [undefined, keys]);
      }
    }
  });

  it('is a complete line: bytes that only begin like a delimiter belong to the part', async () => {
    const value = '\r\n--bc\r\n--b x\r\n--b-\r\n--b\r--b\n';
    const body = `--bb\r\n--b\r\n${head}a\r\n\r\n--bx${value}\r\n--b--`;
    for (let size = 1; size < body.length; size++) {
      const cuts = Array.from({ length: Math.ceil(body.length / size) }, (_, i) => i * size);
      const sink = recordingSink(() => size % 2 === 0);
      assert.equal(await decode(formDecoder(sink), Buffer.from(body), cuts), undefined);
      assert.equal(sink.values[0]?.bytes.toString(), `--bx${value}`);
    }
  });

  it('may end the headers of an empty part', async () => {
    const sink = recordingSink();
    const body = `--b\r\n${head}a\r\n\r\n--b\r\n${head}c\r\n\r\n\r\n--b--`;
    assert.equal(await decode(formDecoder(sink), Buffer.from(body), []), undefined);
    assert.deepEqual(
      sink.values.map(({ key, bytes: found }) => [key, found.length]),
      [
        ['a', 0],
        ['c', 0],
      ],
    );
  });
});

describe('a multipart response', () => {
  it('has a part for each item, and one with the number of failures', () => {
    fc.assert(
      fc.property(values, fc.array(fc.boolean()), (items, failing) => {
        const encoder = multipartEncoder(
          items.map(([key]) => key),
          'request-1',
        );
        let failed = 0;
        const texts = items.flatMap(([, value], i) => {
          if (failing[i] !== true) {
            return [encoder.before(i, value.length), value, encoder.after(i)];
          }
          failed++;
          return [encoder.failure(i, problemOfCode('read', -3102))];
        });
        const all = [...encoder.open(), ...texts, encoder.close(failed)];
        const body = Buffer.concat(all.map((piece) => Buffer.from(piece as string)));
        const parts = readMixed(encoder.contentType, body);
        assert.equal(parts.length, items.length + 1);
        for (const [i, [, value]] of items.entries()) {
          const status = failing[i] === true ? '404' : '200';
          assert.equal(parts[i]?.headers['memcache-status'], status);
          if (status === '200') assert.ok(parts[i]?.body.equals(value));
        }
        assert.deepEqual(JSON.parse(String(parts.at(-1)?.body)), { failed });
      }),
    );
  });
});
