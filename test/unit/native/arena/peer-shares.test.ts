import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeerShares, type Share } from '../../../../src/native/arena/peer-shares.ts';

describe('PeerShares', () => {
  it('is exceeded one byte beyond the share, not at it', () => {
    const shares = new PeerShares(100);
    const share = shares.of({}) as Share;
    share.bytes += 60;
    assert.equal(shares.wouldExceed(share, 40), false);
    assert.equal(shares.wouldExceed(share, 41), true);
    assert.equal(shares.wouldExceed(shares.of({}), 41), false);
  });

  it('is never exceeded by a peer that holds nothing, or without a peer', () => {
    const shares = new PeerShares(100);
    const share = shares.of({}) as Share;
    assert.equal(shares.wouldExceed(share, 1000), false);
    share.bytes += 1000;
    share.bytes -= 1000;
    assert.equal(shares.wouldExceed(share, 1000), false);
    assert.equal(shares.of(undefined), undefined);
    assert.equal(shares.wouldExceed(undefined, 1000), false);
  });

  it('returns the same share for the same peer, and different shares for different peers', () => {
    const shares = new PeerShares(100);
    const peer = {};
    assert.equal(shares.of(peer), shares.of(peer));
    assert.notEqual(shares.of(peer), shares.of({}));
  });
});
