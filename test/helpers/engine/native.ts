import type { Block, PutOptions } from '../../../src/native/abi/types.ts';
import type { EngineOptions } from '../../../src/native/engine-options.ts';
import { openEngine } from '../../../src/native/open-engine.ts';
import { Scheduler } from '../../../src/scheduler/scheduler.ts';

/** An engine behind a scheduler without coalescing, whose batches may use all slots. */
export class TestClient extends Scheduler {
  query = (key: string) => this.single.query(key);
  exist = (key: string) => this.single.exist(key);
  remove = (key: string) => this.single.remove(key);
  batchQuery = (keys: readonly string[]) => this.batches.of().query(keys);
  batchExist = (keys: readonly string[]) => this.batches.of().exist(keys);
  batchRemove = (keys: readonly string[]) => this.batches.of().remove(keys);

  /** Reads an object of `length` bytes into the beginning of a block, which may be released during the call. */
  async get(key: string, block: Block, length: number): Promise<number> {
    const part = block.slice(0, length);
    try {
      return await this.single.get(key, part);
    } finally {
      part.release();
    }
  }

  put(key: string, block: Block, length: number, options: PutOptions): Promise<number> {
    return held([block], () => this.single.put(key, block, length, options));
  }

  batchGet(keys: readonly string[], blocks: readonly Block[]): Promise<Int32Array> {
    return held(blocks, () => this.batches.of().get(keys, blocks));
  }

  batchPut(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<Int32Array> {
    return held(blocks, () => this.batches.of().put(keys, blocks, options));
  }

  batchReplace(keys: readonly string[], blocks: readonly Block[], options: PutOptions) {
    return held(blocks, () => this.batches.of().replace(keys, blocks, options));
  }
}

/** Holds blocks until the result, as callers of the scheduler must; tests may release their own before. */
async function held<Result>(
  blocks: readonly Block[],
  call: () => Promise<Result>,
): Promise<Result> {
  for (const block of blocks) block.retain();
  try {
    return await call();
  } finally {
    for (const block of blocks) block.release();
  }
}

type TestOptions = EngineOptions & { readonly deadlineMs: number };

/** A client with a small arena that poisons released blocks, and with this process's own engine. */
export async function openTestEngine(options: Partial<TestOptions> = {}): Promise<TestClient> {
  const all: TestOptions = {
    engine: 'embedded',
    device: 0,
    arenaBytes: 16 * 1024 * 1024,
    callSlots: 4,
    deadlineMs: 10_000,
    debugArena: true,
    onWarning: () => undefined,
    ...options,
  };
  const engine = await openEngine(all);
  return new TestClient(engine, { deadlineMs: all.deadlineMs, unlimitedBatches: true });
}

/** A block of the arena with these bytes in it. */
export function blockOf(client: TestClient, bytes: Uint8Array): Block {
  const block = emptyBlock(client, bytes.length);
  block.view.set(bytes);
  return block;
}

export function emptyBlock(client: TestClient, length: number): Block {
  const block = client.arena.tryAllocate(length);
  if (block === undefined) throw new Error(`no room for ${length} bytes`);
  block.view.fill(0);
  return block;
}

export const once = { replicas: 1, prefer: [] } as const;
