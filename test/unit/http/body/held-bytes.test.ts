import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { HeldBytes } from '../../../../src/http/body/held-bytes.ts';

const mebibyte = 1 << 20;
const small = 64 * 1024;
const isOwnShare = (error: unknown) =>
  error instanceof ProblemError && error.slug === 'client-share-full';
const isFull = (error: unknown) => error instanceof ProblemError && error.slug === 'arena-full';

describe('HeldBytes', () => {
  it('reserves all bytes of the budget and not one more, until some are released', () => {
    const held = new HeldBytes(10);
    held.take(4);
    held.take(6);
    assert.throws(() => held.take(1), isFull);
    assert.equal(held.held, 10);
    held.giveBack(4);
    held.take(4);
    held.take(0);
    assert.equal(held.held, 10);
  });

  it('keeps a sixteenth for peers that hold up to 64 KiB', () => {
    const held = new HeldBytes(16 * mebibyte);
    held.take(11 * mebibyte);
    held.take(4 * mebibyte, {});
    assert.throws(() => held.take(small + 1, {}), isFull);
    const peer = {};
    held.take(small, peer);
    assert.throws(() => held.take(1, peer), isFull);
    for (let peers = 1; peers < 16; peers++) held.take(small, {});
    assert.equal(held.held, held.most);
    assert.throws(() => held.take(1, {}), isFull);
    held.giveBack(small, peer);
    held.take(small, peer);
  });

  it('gives a peer a quarter while others hold half, and not one byte more', () => {
    const held = new HeldBytes(16 * mebibyte);
    held.take(8 * mebibyte);
    const peer = {};
    held.take(mebibyte, peer);
    held.take(3 * mebibyte, peer);
    assert.throws(() => held.take(1, peer), isFull);
    assert.equal(held.shareRefusals, 0);
    held.giveBack(4 * mebibyte, peer);
    held.take(4 * mebibyte, peer);
    assert.equal(held.held, 12 * mebibyte);
  });

  it('gives a peer that holds nothing one piece of any size that fits beside the reserve', () => {
    const held = new HeldBytes(16 * mebibyte);
    const peer = {};
    assert.throws(() => held.take(15 * mebibyte + 1, peer), isFull);
    held.take(15 * mebibyte, peer);
    assert.throws(() => held.take(1, peer), isFull);
    held.giveBack(15 * mebibyte, peer);
    assert.equal(held.held, 0);
  });

  it('gives a peer more than a quarter as long as half is left for others', () => {
    const held = new HeldBytes(16 * mebibyte);
    const peer = {};
    for (let taken = 0; taken < 8; taken++) held.take(mebibyte, peer);
    assert.throws(() => held.take(1, peer), isOwnShare);
    assert.equal(held.shareRefusals, 1);
    held.take(4 * mebibyte, {});
  });
});
