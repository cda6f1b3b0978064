import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createComingUp } from '../../../src/pool/coming-up.ts';

describe('workers that come up', () => {
  it('are announced once, and told one by one before and after', () => {
    const all = createComingUp([0, 1, 2], 'all');
    assert.equal(all.ever, false);
    assert.equal(all.ready(2, false), 'ready');
    assert.equal(all.ever, true);
    assert.equal(all.ready(2, false), 'ready again');
    assert.equal(all.ready(0, false), 'ready');
    assert.equal(all.ready(1, true), 'announce');
    assert.equal(all.ready(1, true), 'ready again');
    const any = createComingUp([0, 1], 'any');
    assert.equal(any.ready(1, true), 'announce');
    assert.equal(any.ready(0, true), 'ready');
  });
});

describe('workers that never will', () => {
  it('end the program when there is hope for no device', () => {
    const { failed } = createComingUp([0, 1], 'any');
    assert.equal(failed(1, 'no such device'), undefined);
    assert.equal(failed(1, 'no such device'), undefined);
    assert.equal(failed(0, 'busy'), 'device 1: no such device\ndevice 0: busy');
  });

  it('end it at the first one when all have to be ready', () => {
    const { failed } = createComingUp([0, 1], 'all');
    assert.equal(failed(1, 'no such device'), 'device 1: no such device');
  });

  it('are named together when the reason is the same', () => {
    const { failed } = createComingUp([0, 3], 'any');
    failed(0, 'no library');
    assert.equal(failed(3, 'no library'), 'devices 0, 3: no library');
  });

  it('end nothing once the gateway has been ready, and may come back before', () => {
    const { failed, ready } = createComingUp([0, 1], 'any');
    assert.equal(failed(0, 'x'), undefined);
    ready(0, false);
    assert.equal(failed(1, 'x'), undefined);
    ready(0, true);
    assert.equal(failed(0, 'x'), undefined);
  });
});
