import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { readCursor, writeCursor } from '../../../../src/routes/pool/key-cursor.ts';

describe('a cursor', () => {
  const prefix = Buffer.from('kv/');

  it('returns its key, of any bytes and length', () => {
    for (const key of [Buffer.from('kv/1'), Buffer.from([0xff, 1]), randomBytes(256)]) {
      assert.deepEqual(readCursor(writeCursor(prefix, key), prefix), key);
    }
  });

  it('is refused with any character changed, cut or added, and with another prefix', () => {
    const cursor = writeCursor(prefix, Buffer.from('kv/block'));
    const refused = (text: string, of = prefix) =>
      assert.throws(() => readCursor(text, of), /cursor is not the cursor of a page/, text);
    for (let at = 0; at < cursor.length; at++) {
      const other = cursor[at] === 'x' ? 'y' : 'x';
      refused(cursor.slice(0, at) + other + cursor.slice(at + 1));
      refused(cursor.slice(0, at));
      refused(cursor.slice(at + 1));
    }
    for (const text of [`${cursor}A`, `${cursor}=`, ` ${cursor}`, '', 'AQ']) refused(text);
    refused(writeCursor(prefix, randomBytes(257)));
    refused(cursor, Buffer.from('kv'));
    refused(cursor, Buffer.alloc(0));
    assert.equal(
      writeCursor(prefix, Buffer.from('a')) === writeCursor(Buffer.from('kv/a'), Buffer.alloc(0)),
      false,
    );
  });
});
