import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { multipartEncoder } from '../../../src/codecs/multipart-encoder.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import { formOf, readMixed } from '../../helpers/multipart.ts';
import { decode, formDecoder, recordingSink } from '../../helpers/value-sink.ts';

const name = fc.stringMatching(/^[a-zA-Z0-9/é🗝 .-]{1,20}$/u);
/** Bytes that look like what stands around them. */
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
  it('gives every part whole, however the stream is cut and however slow the sink', async () => {
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

  it('of large parts never waits for what will not come', async () => {
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

  it('that is cut off anywhere is refused, and its last part is not given', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.nat(900), cuts, async (parts, cut, at) => {
        const form = formFrom(parts);
        // What may lack at the end is the line break behind the last delimiter.
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

describe('a multipart answer', () => {
  it('has a part for each item, and one that tells how many failed', () => {
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
        const all = [encoder.open(), ...texts, encoder.close(failed)];
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
