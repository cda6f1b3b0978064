import assert from 'node:assert/strict';
import type { Arena } from '../../../src/native/abi/types.ts';
import { LayerWriter, type LayerWriterContext } from '../../../src/store/layers/layer-writer.ts';
import { countingArena } from '../engine/scripted-engine.ts';

export interface TestLayerWriter {
  readonly sink: LayerWriter;
  readonly arena: Arena;
}

/** A writer into an arena in ordinary memory, which never waits for room. */
export function layerWriter(
  context: Partial<Omit<LayerWriterContext, 'store'>> = {},
  arena: Arena = countingArena(),
): TestLayerWriter {
  const sink = new LayerWriter({
    store: {
      arena,
      poolBytes: undefined,
      reserve: (bytes) => arena.tryAllocate(bytes) ?? arena.allocate(bytes, { deadlineMs: 1 }),
    },
    maxObjectBytes: 1 << 20,
    unsizedBytes: 1 << 18,
    replicas: 1,
    expected: undefined,
    maxBytes: undefined,
    caller: undefined,
    ...context,
  });
  return { sink, arena };
}

/** Returns the layers of a complete writer as one value, and releases its block. */
export function completed({ sink, arena }: TestLayerWriter): Buffer {
  const { block, bytes } = sink.complete();
  const value = Buffer.from(block.view.subarray(0, bytes));
  block.release();
  sink.discard();
  assert.equal(arena.stats().blocks, 0, 'a block leaked');
  return value;
}
