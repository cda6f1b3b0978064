import assert from 'node:assert/strict';
import type { ProblemError } from '../../../src/errors/problems.ts';
import type { Arena, Block, DataInfo } from '../../../src/native/abi/types.ts';
import { MemoryArena } from '../../../src/native/arena/arena.ts';
import { mapMemory } from '../../../src/native/arena/memory.ts';
import type { BatchCalls } from '../../../src/scheduler/batch-calls.ts';
import type { IfExists, ObjectStore, WriteOutcome } from '../../../src/store/object-store.ts';

type Codes = readonly number[];
type Answer = Codes | ((keys: readonly string[]) => Codes) | Promise<Codes> | Error;
/** Sizes of objects; `{ code }` stands for a call that failed as a whole. */
type QueryAnswer = readonly (number | 'missing')[] | { readonly code: number } | Error;

/** The next allowed call, and the engine's result; an error is thrown. */
export type BatchStep =
  | readonly ['put' | 'get' | 'exist' | 'remove', Answer]
  | readonly ['query', QueryAnswer]
  /** The store's own write of one value. */
  | readonly ['write', WriteOutcome | ProblemError | Error];

export interface ScriptedBatches {
  readonly engine: BatchCalls;
  readonly write: ObjectStore['write'];
  /** The calls made, such as `put a:1 b:2 replicas=2`; for many keys only their number. */
  readonly made: string[];
  /** The bytes of values that were put with the code 0. */
  readonly stored: ReadonlyMap<string, Buffer>;
  /** Throws unless the calls used every step. */
  finished(): void;
}

/**
 * Accepts only the calls of the steps, in their order. The engine holds a block until its call has
 * returned; a read fills it with the first character of its key.
 */
export function scriptedBatches(arena: Arena, steps: readonly BatchStep[]): ScriptedBatches {
  const made: string[] = [];
  const stored = new Map<string, Buffer>();
  let taken = 0;

  function next<Name extends BatchStep[0]>(name: Name, label: string) {
    made.push(label);
    const step = steps[taken++];
    assert.equal(step?.[0], name, `unexpected call: ${made.join(', ')}`);
    const answer = step?.[1];
    if (answer instanceof Error) throw answer;
    return answer as Exclude<Extract<BatchStep, readonly [Name, unknown]>[1], Error>;
  }

  async function codesOf(
    name: 'put' | 'get' | 'exist' | 'remove',
    keys: readonly string[],
    blocks?: readonly Block[],
    more = '',
  ) {
    const label = `${name} ${listOf(keys, blocks)}${more}`;
    for (const block of blocks ?? []) block.retain();
    try {
      const answer = next(name, label);
      const results = Int32Array.from(await (typeof answer === 'function' ? answer(keys) : answer));
      assert.equal(results.length, keys.length, label);
      for (const [i, { view }] of (blocks ?? []).entries()) {
        if (results[i] !== 0) continue;
        const key = keys[i] as string;
        if (name === 'get') view.fill(key[0] as string);
        else stored.set(key, Buffer.from(view));
      }
      return results;
    } finally {
      for (const block of blocks ?? []) block.release();
    }
  }

  const calls: BatchCalls = {
    arena,
    async query(keys) {
      const answer = next('query', `query ${listOf(keys)}`);
      const sizes = 'code' in answer ? keys.map(() => 'missing' as const) : answer;
      assert.equal(sizes.length, keys.length);
      const whole = 'code' in answer ? answer.code : 0;
      const codeOf = (size: number | 'missing') => (size === 'missing' ? whole || -3102 : 0);
      return { codes: Int32Array.from(sizes.map(codeOf)), infos: sizes.map(infoOf) };
    },
    get: (keys, blocks) => codesOf('get', keys, blocks),
    put: (keys, blocks, options) => {
      const more = options.replicas === 1 ? '' : ` replicas=${options.replicas}`;
      return codesOf('put', keys, blocks, more);
    },
    exist: (keys) => codesOf('exist', keys),
    remove: (keys) => codesOf('remove', keys),
    async replace(keys, blocks, options) {
      const removed = await codesOf('remove', keys);
      const isGone = (_: unknown, at: number) => removed[at] === 0 || removed[at] === -3102;
      const gone = keys.filter(isGone);
      if (gone.length === 0) return { removed, stored: new Int32Array(0) };
      return { removed, stored: await calls.put(gone, blocks.filter(isGone), options) };
    },
  };
  return {
    engine: calls,
    async write(key, _block, bytes, _options, ifExists: IfExists) {
      return next('write', `write ${key}:${bytes} ${ifExists}`);
    },
    made,
    stored,
    finished() {
      assert.equal(taken, steps.length, `not asked often enough: ${made.join(', ')}`);
    },
  };
}

const infoOf = (size: number | 'missing'): DataInfo =>
  size === 'missing'
    ? { valid: false, size: 0, replicas: [] }
    : { valid: true, size, replicas: [{ serviceId: 0, medium: 'DRAM' }] };

function listOf(keys: readonly string[], blocks?: readonly Block[]): string {
  if (keys.length > 8) return `${keys.length} keys`;
  return keys.map((key, i) => (blocks ? `${key}:${blocks[i]?.length}` : key)).join(' ');
}
/** A small real arena, which poisons released blocks. */
export const smallArena = (bytes: number): MemoryArena =>
  new MemoryArena(mapMemory(bytes, { hugePages: false }), { debug: true });

/** Allocates a block and fills it. */
export function filled(arena: Arena, bytes: number, fill: string): Block {
  const block = arena.tryAllocate(bytes);
  assert.ok(block, `no room for ${bytes} bytes`);
  block.view.fill(fill);
  return block;
}
