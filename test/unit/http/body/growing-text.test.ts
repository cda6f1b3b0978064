import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GrowingText } from '../../../../src/http/body/growing-text.ts';

function budget(most = Number.POSITIVE_INFINITY) {
  const account = {
    held: 0,
    take(bytes: number) {
      if (account.held + bytes > most) throw new Error('full');
      account.held += bytes;
    },
    giveBack(bytes: number) {
      account.held -= bytes;
    },
  };
  return account;
}

describe('GrowingText', () => {
  it('holds nothing before the first byte, then 16 KiB, and then doubles', () => {
    const account = budget();
    const text = new GrowingText(account, 1 << 20);
    assert.equal(account.held, 0);
    text.append(Buffer.alloc(1));
    assert.equal(account.held, 16 * 1024);
    text.append(Buffer.alloc(16 * 1024));
    assert.equal(account.held, 32 * 1024);
    text.append(Buffer.alloc(100_000));
    assert.equal(account.held, 100_000 + 16 * 1024 + 1);
    text.release();
    assert.equal(account.held, 0);
    assert.equal(text.bytes.length, 0);
  });

  it('takes only as much of a chunk as its limit allows, and never holds more', () => {
    const account = budget();
    const text = new GrowingText(account, 10);
    assert.equal(text.append(Buffer.from('xxabcdef'), 2), 6);
    assert.equal(text.append(Buffer.from('ghijklm')), 4);
    assert.equal(text.append(Buffer.from('n')), 0);
    assert.equal(text.bytes.toString(), 'abcdefghij');
    assert.equal(account.held, 10);
  });

  it('keeps what it holds when the budget is exhausted', () => {
    const account = budget(20_000);
    const text = new GrowingText(account, 1 << 20);
    text.append(Buffer.from('x'));
    assert.throws(() => text.append(Buffer.alloc(20_000)), /full/);
    assert.equal(account.held, 16 * 1024);
    assert.equal(text.bytes.toString(), 'x');
    text.release();
    assert.equal(account.held, 0);
  });
});
