import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeerShares } from '../../../src/native/peer-shares.ts';

describe('PeerShares', () => {
  it('is exceeded one byte beyond the share, not at it', () => {
    const shares = new PeerShares(100);
    const peer = {};
    shares.add(peer, 60);
    assert.equal(shares.wouldExceed(peer, 40), false);
    assert.equal(shares.wouldExceed(peer, 41), true);
    assert.equal(shares.wouldExceed({}, 41), false);
  });

  it('is never exceeded by a peer that holds nothing, nor by no peer', () => {
    const shares = new PeerShares(100);
    const peer = {};
    assert.equal(shares.wouldExceed(peer, 1000), false);
    shares.add(peer, 1000);
    shares.subtract(peer, 1000);
    assert.equal(shares.wouldExceed(peer, 1000), false);
    shares.add(undefined, 1000);
    shares.subtract(undefined, 1000);
    assert.equal(shares.wouldExceed(undefined, 1000), false);
  });

  it('holds no more for a peer than was added, and nothing below zero', () => {
    const shares = new PeerShares(100);
    const peer = {};
    shares.add(peer, 0);
    assert.equal(shares.heldBy(peer), 0);
    shares.add(peer, 10);
    shares.add(peer, 5);
    assert.equal(shares.heldBy(peer), 15);
    shares.subtract(peer, 20);
    assert.equal(shares.heldBy(peer), 0);
  });
});
