import assert from 'node:assert/strict';
import type { Arena, Block, DataInfo, PutOptions } from '../../../src/native/abi/types.ts';
import type { EngineCalls } from '../../../src/scheduler/engine-calls.ts';

/** The engine's next result; a number is a code, an error is thrown. */
type Answer = number | Error;
/** For query: `[size]` is a valid object, 'missing' is 0 with valid = false. */
type QueryAnswer = Answer | { size: number; replicas?: DataInfo['replicas'] } | 'missing';

export interface Script {
  query?: QueryAnswer[];
  get?: (Answer | ((block: Block) => number))[];
  put?: Answer[];
  exist?: Answer[];
  remove?: Answer[];
}

export interface ScriptedCalls {
  readonly calls: EngineCalls;
  /** The calls made, such as `put a 1 replicas=2 prefer=0`. */
  readonly made: string[];
  /** Throws unless the calls used every result. */
  finished(): void;
}

/** An engine with the given results only: one call too many fails the test. */
export function scriptedCalls(script: Script): ScriptedCalls {
  const made: string[] = [];
  const left = copyOf(script);

  function next<Name extends keyof Script>(name: Name, label: string) {
    made.push(label);
    const answer = left[name]?.shift();
    assert.notEqual(answer, undefined, `unexpected call: ${made.join(', ')}`);
    if (answer instanceof Error) throw answer;
    return answer as Exclude<NonNullable<Script[Name]>[number], Error>;
  }

  const calls: EngineCalls = {
    async query(key) {
      const answer = next('query', `query ${key}`);
      const none: DataInfo = { valid: false, size: 0, replicas: [] };
      if (answer === 'missing') return { code: -3102, info: none };
      if (typeof answer === 'number') return { code: answer, info: none };
      const replicas = answer.replicas ?? [{ serviceId: 0, medium: 'DRAM' as const }];
      return { code: 0, info: { valid: true, size: answer.size, replicas } };
    },
    async get(key, block) {
      const answer = next('get', `get ${key} ${block.length}`);
      return typeof answer === 'function' ? answer(block) : answer;
    },
    async put(key, _block, bytes, options) {
      return next('put', `put ${probeless(key)} ${bytes}${placementOf(options)}`);
    },
    async exist(key) {
      return next('exist', `exist ${key}`);
    },
    async remove(key) {
      return next('remove', `remove ${probeless(key)}`);
    },
  };
  return {
    calls,
    made,
    finished() {
      const unused = Object.entries<readonly unknown[]>({ ...left }).filter(
        ([, answers]) => answers.length > 0,
      );
      assert.deepEqual(unused, [], `not asked often enough: ${made.join(', ')}`);
    },
  };
}

/** Copies the script, since calls remove its results: the test's own lists must not change. */
function copyOf(script: Script): Script {
  const { query = [], get = [], put = [], exist = [], remove = [] } = script;
  return {
    query: [...query],
    get: [...get],
    put: [...put],
    exist: [...exist],
    remove: [...remove],
  };
}

const probeless = (key: string): string => key.replace(/[0-9a-f-]{36}$/, 'UUID');

const placementOf = ({ replicas, prefer }: PutOptions): string =>
  (replicas === 1 ? '' : ` replicas=${replicas}`) + (prefer.length ? ` prefer=${prefer}` : '');

export interface CountingArena extends Arena {
  /** Blocks allocated and not yet released. */
  readonly used: number;
}

/** An arena in ordinary memory that counts allocated blocks; it refuses more than `room` bytes. */
export function countingArena(room = Number.POSITIVE_INFINITY, maxBlockBytes = 2 ** 32) {
  let used = 0;
  let usedBytes = 0;
  const arena: CountingArena = {
    totalBytes: room,
    maxBlockBytes,
    get used() {
      return used;
    },
    tryAllocate(bytes) {
      if (usedBytes + bytes > room) return undefined;
      used += 1;
      usedBytes += bytes;
      let users = 1;
      const view = Buffer.alloc(bytes);
      const block: Block = {
        length: bytes,
        view,
        slice(offset, length) {
          block.retain();
          return { ...block, length, view: view.subarray(offset, offset + length) };
        },
        retain() {
          assert.ok(users > 0, 'retained after it was freed');
          users += 1;
        },
        release() {
          assert.ok(users > 0, 'released after it was freed');
          users -= 1;
          if (users > 0) return;
          used -= 1;
          usedBytes -= bytes;
        },
      };
      return block;
    },
    async allocate(bytes, { deadlineMs }) {
      const { ArenaFullError } = await import('../../../src/native/abi/errors.ts');
      throw new ArenaFullError(bytes, deadlineMs);
    },
    stats: () => ({ totalBytes: room, usedBytes, blocks: used, waiters: 0, waitingBytes: 0 }),
    isCrowding: () => false,
    pressure: () => ({
      refusals: 0,
      shareRefusals: 0,
      refusingForMs: undefined,
      reserveFreeBytes: 0,
    }),
  };
  return arena;
}
