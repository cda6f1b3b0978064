import assert from 'node:assert/strict';
import type { ProblemError } from '../../src/errors.ts';
import { MemoryArena } from '../../src/native/arena.ts';
import { mapMemory } from '../../src/native/memory.ts';
import type {
  Arena,
  Block,
  DataInfo,
  EngineClient,
  PutOptions,
  Returned,
} from '../../src/native/types.ts';
import type { IfExists, ObjectStore, WriteOutcome } from '../../src/store/object-store.ts';

type Codes = readonly number[];
type Answer = Codes | ((keys: readonly string[]) => Codes) | Promise<Codes> | Error;
/** Sizes of objects; `{ code }` is a call that failed as a whole. */
type QueryAnswer = readonly (number | 'missing')[] | { readonly code: number } | Error;

/** The next call that may be made, and what the engine answers; an error is thrown. */
export type BatchStep =
  | readonly ['put' | 'get' | 'exist' | 'remove', Answer]
  | readonly ['query', QueryAnswer]
  /** The store's own write of a single value. */
  | readonly ['write', WriteOutcome | ProblemError | Error];

export interface ScriptedBatches {
  readonly engine: EngineClient;
  readonly write: ObjectStore['write'];
  /** The calls made, such as `put a:1 b:2 replicas=2`; of many keys only how many. */
  readonly made: string[];
  /** The bytes of what was put with the code 0. */
  readonly stored: ReadonlyMap<string, Buffer>;
  /** Throws unless every step was taken. */
  finished(): void;
}

/**
 * Takes the steps in their order, and nothing else. A block is held by the engine until its call has
 * returned; what is read is full of the first character of its key.
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
    returned: Returned | undefined,
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
      return { code: 0, results, elapsedMs: 1 };
    } finally {
      for (const block of blocks ?? []) block.release();
      returned?.();
    }
  }

  const calls = {
    arena,
    deadlineMs: 1000,
    calls: () => ({ slots: 4, inFlight: 0, late: 0, queued: 0 }),
    async batchQuery(keys: readonly string[], returned?: Returned) {
      returned?.();
      const answer = next('query', `query ${listOf(keys)}`);
      if ('code' in answer) return { code: answer.code, infos: keys.map(() => infoOf('missing')) };
      assert.equal(answer.length, keys.length);
      return { code: 0, infos: answer.map(infoOf) };
    },
    batchGet: (keys: readonly string[], blocks: readonly Block[], returned?: Returned) =>
      codesOf('get', keys, returned, blocks),
    batchPut: (
      keys: readonly string[],
      blocks: readonly Block[],
      options: PutOptions,
      returned?: Returned,
    ) =>
      codesOf(
        'put',
        keys,
        returned,
        blocks,
        options.replicas === 1 ? '' : ` replicas=${options.replicas}`,
      ),
    batchExist: (keys: readonly string[], returned?: Returned) => codesOf('exist', keys, returned),
    batchRemove: (keys: readonly string[], returned?: Returned) =>
      codesOf('remove', keys, returned),
    async batchReplace(
      keys: readonly string[],
      blocks: readonly Block[],
      options: PutOptions,
      returned?: Returned,
    ) {
      const { results: removed } = await codesOf('remove', keys, undefined);
      const isGone = (_: unknown, at: number) => removed[at] === 0 || removed[at] === -3102;
      const gone = keys.filter(isGone);
      if (gone.length === 0) {
        returned?.();
        return { removed, stored: new Int32Array(0) };
      }
      const put = await calls.batchPut(gone, blocks.filter(isGone), options, returned);
      return { removed, stored: put.results };
    },
  };
  return {
    engine: calls as unknown as EngineClient,
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
/** A real arena of the smallest kind, which poisons what is freed. */
export const smallArena = (bytes: number): MemoryArena =>
  new MemoryArena(mapMemory(bytes, { hugePages: false }), { debug: true });

/** A block with these bytes in it. */
export function filled(arena: Arena, bytes: number, fill: string): Block {
  const block = arena.tryAllocate(bytes);
  assert.ok(block, `no room for ${bytes} bytes`);
  block.view.fill(fill);
  return block;
}
