import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStartupState } from '../../../src/supervisor/startup-state.ts';

describe('workers that become ready', () => {
  it('are announced together once, and individually before and after', () => {
    const all = createStartupState([0, 1, 2], 'all');
    assert.equal(all.ever, false);
    assert.equal(all.ready(2, false), 'ready');
    assert.equal(all.ever, true);
    assert.equal(all.ready(2, false), 'ready again');
    assert.equal(all.ready(0, false), 'ready');
    assert.equal(all.ready(1, true), 'announce');
    assert.equal(all.ready(1, true), 'ready again');
    const any = createStartupState([0, 1], 'any');
    assert.equal(any.ready(1, true), 'announce');
    assert.equal(any.ready(0, true), 'ready');
  });
});

describe('workers that can never start', () => {
  it('end the program if no device can start', () => {
    const { failed } = createStartupState([0, 1], 'any');
    assert.equal(failed(1, 'no such device'), undefined);
    assert.equal(failed(1, 'no such device'), undefined);
    assert.equal(failed(0, 'busy'), 'device 1: no such device\ndevice 0: busy');
  });

  it('end it at the first one if all have to be ready', () => {
    const { failed } = createStartupState([0, 1], 'all');
    assert.equal(failed(1, 'no such device'), 'device 1: no such device');
  });

  it('are named together if the reason is the same', () => {
    const { failed } = createStartupState([0, 3], 'any');
    failed(0, 'no library');
    assert.equal(failed(3, 'no library'), 'devices 0, 3: no library');
  });

  it('do not end it after the gateway has been ready, and may recover earlier', () => {
    const { failed, ready } = createStartupState([0, 1], 'any');
    assert.equal(failed(0, 'x'), undefined);
    ready(0, false);
    assert.equal(failed(1, 'x'), undefined);
    ready(0, true);
    assert.equal(failed(0, 'x'), undefined);
  });
});
