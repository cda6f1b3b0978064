/** Calls on the JavaScript thread to an engine that gives up on the lock of another process. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOCK_TIMEOUT } from '../../../../src/errors/engine-codes.ts';
import type { EngineFunctions } from '../../../../src/native/abi/abi.ts';
import { MemoryArena } from '../../../../src/native/arena/arena.ts';
import { mapMemory } from '../../../../src/native/arena/memory.ts';
import { ARGUMENT_BYTES, CallArguments } from '../../../../src/native/calls/call-arguments.ts';
import { Canaries } from '../../../../src/native/calls/canaries.ts';
import { DirectCalls } from '../../../../src/native/calls/sync-calls.ts';
import { once } from '../../../helpers/engine/native.ts';

/** Every function returns the same code; `onCall` must not be called. */
function callsAnswering(code: number) {
  const made: string[] = [];
  const functions = new Proxy({} as EngineFunctions, {
    get: (_, name: string) => () => {
      made.push(name);
      return code;
    },
  });
  const onCall = () => assert.fail('a call that did nothing was reported');
  const context = { functions, slowReadMs: 1500, onCall };
  const [memory] = mapMemory(ARGUMENT_BYTES, { hugePages: false });
  assert.ok(memory);
  const slot = { args: new CallArguments(memory, 0), canaries: new Canaries() };
  return { calls: new DirectCalls(context, slot), made };
}

describe('a synchronous call that needs the lock of another process', () => {
  it('has no result for any operation, and is not reported', () => {
    const { calls, made } = callsAnswering(LOCK_TIMEOUT);
    const block = new MemoryArena(mapMemory(65_536, { hugePages: false }), {
      debug: true,
    }).tryAllocate(3);
    assert.ok(block);
    const results = [
      calls.query('a'),
      calls.queryFull('a'),
      calls.get('a', block, 3),
      calls.put('a', block, 3, once),
      calls.exist('a'),
      calls.remove('a'),
    ];
    assert.deepEqual(results, Array(6).fill(undefined));
    // One call each: a second attempt would wait again.
    assert.deepEqual(made, [
      'mmcc_query',
      'mmcc_query',
      'mmcc_get',
      'mmcc_batch_put',
      'mmcc_exist',
      'mmcc_remove',
    ]);
    assert.deepEqual(calls.info, { valid: false, size: 0, replicas: [] });
  });
});
