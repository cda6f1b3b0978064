import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EngineFunctions } from '../../../../src/native/abi/abi.ts';
import { EngineClosedError } from '../../../../src/native/abi/errors.ts';
import { type MappedRegion, mapMemory } from '../../../../src/native/arena/memory.ts';
import { permanentBlock } from '../../../../src/native/arena/native-block.ts';
import { makeCallMemory } from '../../../../src/native/start/engine-memory.ts';
import { PROBE_BYTES, Probe } from '../../../../src/native/start/self-test.ts';
import type { Address } from '../../../../src/os/libc.ts';

type Callback = (error: null, code: number) => void;

/** A probe of an engine whose calls return 0 when the test says so. */
function probeOf() {
  const made: string[] = [];
  const open: Callback[] = [];
  const functions = new Proxy({} as EngineFunctions, {
    get: (_, name: string) => ({
      async: (...args: unknown[]) => {
        made.push(name);
        open.push(args.at(-1) as Callback);
      },
    }),
  });
  const region = mapMemory(4096, { hugePages: false })[0] as MappedRegion;
  const block = (at: number) =>
    permanentBlock({
      address: (region.address + at * PROBE_BYTES) as Address,
      memory: region.bytes,
      start: at * PROBE_BYTES,
      length: PROBE_BYTES,
    });
  const [memory] = makeCallMemory(1);
  assert.ok(memory);
  const context = { functions, slowReadMs: 1500, onCall: undefined };
  const probe = new Probe(context, memory, { written: block(0), read: block(1) }, 10_000);
  return { probe, made, answer: () => open.shift()?.(null, 0) };
}

describe('a probe that is closed', () => {
  it('makes no further call after the one in flight returns', async () => {
    const { probe, made, answer } = probeOf();
    const run = probe.run({ toleratesFullPool: true });
    const ended = assert.rejects(run, EngineClosedError);
    const closed = probe.close(10_000);
    assert.deepEqual(made, ['mmcc_put']);
    answer();
    assert.equal(await closed, true);
    await ended;
    await nextTurn();
    assert.deepEqual(made, ['mmcc_put']);
    assert.equal(probe.free, true);
  });

  it('is closed at once without a call, and not closed if its call does not return', async () => {
    assert.equal(await probeOf().probe.close(0), true);
    const { probe, answer } = probeOf();
    const run = probe.run({ toleratesFullPool: true });
    const ended = assert.rejects(run, EngineClosedError);
    assert.equal(await probe.close(10), false);
    answer();
    await ended;
  });
});
