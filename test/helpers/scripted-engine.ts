import assert from 'node:assert/strict';
import type { Arena, Block, DataInfo, PutOptions } from '../../src/native/types.ts';
import type { EngineCalls } from '../../src/store/engine-calls.ts';

/** What the engine will answer, in order; a number is a code, a thrown error is thrown. */
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
  /** Throws unless every answer was asked for. */
  finished(): void;
}

/** An engine that answers what the test says, and nothing else: one call too many fails the test. */
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
      if (answer === 'missing') return { code: 0, info: none };
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

/** Answers are taken away as they are given; the test's own lists stay as they are. */
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
  /** Blocks given out and not yet freed. */
  readonly used: number;
}

/** An arena in ordinary memory that knows what is out; `room` bytes at most, then it refuses. */
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
      return {
        length: bytes,
        view,
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
    },
    async allocate(bytes, { deadlineMs }) {
      const { ArenaFullError } = await import('../../src/native/errors.ts');
      throw new ArenaFullError(bytes, deadlineMs);
    },
    stats: () => ({ totalBytes: room, usedBytes, blocks: used, waiters: 0, waitingBytes: 0 }),
    pressure: () => ({ refusals: 0, refusingForMs: undefined, reserveFreeBytes: 0 }),
  };
  return arena;
}
