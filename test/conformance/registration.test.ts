/** Memory registered with the engine (docs/engine-facts.md §8). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isEmbedded, openClient, withEngine } from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';

const page = 4096;

describe('a region of memory', { skip: withEngine }, () => {
  let engine: EngineCalls;
  before(async () => {
    engine = openClient();
    assert.equal(await engine.init(), 0);
  });
  after(() => engine.uninit());

  it('can be registered, and registered again unchanged', async () => {
    assert.equal(await engine.register(4 * page, 8 * page), 0);
    assert.equal(await engine.register(4 * page, 8 * page), 0);
    assert.equal(await engine.unregister(4 * page, 8 * page), 0);
  });

  it('may be adjacent to another, but not overlap or be inside it: −1', async () => {
    assert.equal(await engine.register(16 * page, 16 * page), 0);
    for (const [what, at, pages] of [
      ['inside', 20, 4],
      ['at its start', 16, 8],
      ['at its end', 24, 8],
      ['over its end', 28, 8],
    ] as const) {
      assert.equal(await engine.register(at * page, pages * page), -1, what);
    }
    // A build of 1.1 accepts a region that begins before the registered one. These cases come last, because
    // the effect of their unregistration on the other region is unknown.
    for (const [what, at, pages] of [
      ['over its start', 12, 8],
      ['around it', 12, 24],
    ] as const) {
      const code = await engine.register(at * page, pages * page);
      assert.ok(code === -1 || (code === 0 && !isEmbedded), `${what}: ${code}`);
      if (code === 0) assert.equal(await engine.unregister(at * page, pages * page), 0);
    }
    for (const at of [8, 32]) {
      assert.equal(await engine.register(at * page, 8 * page), 0);
      assert.equal(await engine.unregister(at * page, 8 * page), 0);
    }
    assert.equal(await engine.unregister(16 * page, 16 * page), 0);
  });

  it('can always be unregistered, even if it never was registered', async () => {
    assert.equal(await engine.unregister(64 * page, page), 0);
    assert.equal(await engine.register(64 * page, page), 0);
    assert.equal(await engine.unregister(64 * page, page), 0);
    assert.equal(await engine.unregister(64 * page, page), 0);
  });

  it('allows an overlapping region after it is unregistered', async () => {
    assert.equal(await engine.register(80 * page, 8 * page), 0);
    assert.equal(await engine.unregister(80 * page, 8 * page), 0);
    assert.equal(await engine.register(84 * page, 8 * page), 0);
    assert.equal(await engine.unregister(84 * page, 8 * page), 0);
  });
});
