/**
 * An engine's C functions with values instead of addresses, one method each, through the project's
 * own koffi path. This file checks, retries and bounds nothing, so that a test sees the results of
 * the library itself. Every call runs on libuv's pool.
 */

import type { NativeFunction } from '../../../src/native/abi/abi.ts';
import { loadEngineLibrary } from '../../../src/native/start/library.ts';
import { releaseReservation } from '../../../src/native/start/reservation.ts';
import type { Address } from '../../../src/os/libc.ts';
import { addressOf } from '../../../src/os/libc.ts';
import {
  decodeInfos,
  decodeResults,
  encodeBuffers,
  encodeConfig,
  encodeKey,
  encodeKeys,
  encodeOptions,
  encodeResults,
  encodeValue,
  fillByte,
  type Info,
  type Key,
  maxInfoBytes,
  type PutChoices,
  untouched,
  type Value,
} from './engine-structs.ts';

export interface Batch {
  readonly code: number;
  /** The results as the engine left them; `unanswered` where it wrote nothing. */
  readonly results: readonly number[];
}

export interface EngineCalls {
  readonly init: (device?: number, contribute?: boolean) => Promise<number>;
  readonly uninit: () => Promise<number>;
  readonly setLogLevel: (level: number) => Promise<number>;
  readonly localServiceId: () => Promise<{ code: number; id: number }>;
  /** Registers a region of this process's own mapping, `at` bytes from its start. */
  readonly register: (at: number, length: number) => Promise<number>;
  readonly unregister: (at: number, length: number) => Promise<number>;
  readonly put: (key: Key, value: Value, choices?: PutChoices) => Promise<number>;
  /** Gets `length` bytes; `bytes` is the destination afterwards. */
  readonly get: (
    key: Key,
    length: number,
    medium?: number,
  ) => Promise<{ code: number; bytes: Buffer }>;
  /** Like `get`, but returns only whether every byte is `fill`. */
  readonly check: (
    key: Key,
    length: number,
    fill: number,
  ) => Promise<{ code: number; same: boolean }>;
  readonly query: (key: Key) => Promise<{ code: number; info: Info }>;
  readonly exist: (key: Key) => Promise<number>;
  readonly remove: (key: Key) => Promise<number>;
  readonly batchPut: (
    keys: readonly Key[],
    values: readonly Value[],
    choices?: PutChoices,
  ) => Promise<Batch>;
  readonly batchGet: (
    keys: readonly Key[],
    lengths: readonly number[],
  ) => Promise<Batch & { bytes: Buffer[] }>;
  readonly batchQuery: (keys: readonly Key[]) => Promise<{ code: number; infos: Info[] }>;
  readonly batchExist: (keys: readonly Key[]) => Promise<Batch>;
  readonly batchRemove: (keys: readonly Key[]) => Promise<Batch>;
  /** Calls `exist` `count` times on one thread; returns the microseconds of each call. */
  readonly timeExist: (key: Key, count: number) => Promise<number[]>;
}

/** Loads a library that has the engine's ABI. Its state is process-wide. */
export function openEngine(path: string): EngineCalls {
  const engine = loadEngineLibrary({ engine: path }).functions;
  const region = Buffer.alloc(1 << 20);

  return {
    init(device = 0, contribute = true) {
      const config = encodeConfig(device, contribute);
      releaseReservation();
      return call(engine.mmc_init, [addressOf(config)], [config]);
    },
    uninit: () => call(engine.mmc_uninit, [], []),
    setLogLevel: (level) => call(engine.mmc_set_log_level, [level], []),
    async localServiceId() {
      const id = Buffer.alloc(4, fillByte);
      const code = await call(engine.mmcc_local_service_id, [addressOf(id)], [id]);
      return { code, id: id.readUInt32LE(0) };
    },
    register: (at, length) =>
      call(engine.mmcc_register_buffer, [offset(region, at), length], [region]),
    unregister: (at, length) =>
      call(engine.mmcc_unregister_buffer, [offset(region, at), length], [region]),
    put(key, value, choices = {}) {
      const name = encodeKey(key);
      const bytes = encodeValue(value);
      const buffer = encodeBuffers([bytes], [value.length], choices.medium);
      const options = { words: encodeOptions(choices) };
      const args = [addressOf(name), addressOf(buffer), options, 0] as const;
      return call(engine.mmcc_put, args, [name, bytes, buffer]);
    },
    get,
    async check(key, length, fill) {
      const { code, bytes } = await get(key, length);
      return { code, same: bytes.equals(Buffer.alloc(length, fill)) };
    },
    async query(key) {
      const name = encodeKey(key);
      const info = Buffer.alloc(maxInfoBytes, fillByte);
      const args = [addressOf(name), addressOf(info), 0] as const;
      const code = await call(engine.mmcc_query, args, [name, info]);
      const [first] = decodeInfos(info, 1);
      if (first === undefined) throw new Error('no info');
      return { code, info: first };
    },
    exist(key) {
      const name = encodeKey(key);
      return call(engine.mmcc_exist, [addressOf(name), 0], [name]);
    },
    remove(key) {
      const name = encodeKey(key);
      return call(engine.mmcc_remove, [addressOf(name), 0], [name]);
    },
    async batchPut(keys, values, choices = {}) {
      const names = encodeKeys(keys);
      const bytes = values.map(encodeValue);
      const lengths = values.map(({ length }) => length);
      const buffers = encodeBuffers(bytes, lengths, choices.medium);
      const options = Buffer.from(encodeOptions(choices).buffer);
      const results = encodeResults(keys.length);
      const code = await call(
        engine.mmcc_batch_put,
        [
          addressOf(names.pointers),
          keys.length,
          addressOf(buffers),
          addressOf(options),
          0,
          addressOf(results),
        ],
        [names, bytes, buffers, options, results],
      );
      return { code, results: decodeResults(results, keys.length) };
    },
    async batchGet(keys, lengths) {
      const names = encodeKeys(keys);
      const bytes = lengths.map((length) => untouched(Math.max(length, 1)));
      const buffers = encodeBuffers(bytes, lengths);
      const results = encodeResults(keys.length);
      const code = await call(
        engine.mmcc_batch_get,
        [addressOf(names.pointers), keys.length, addressOf(buffers), 0, addressOf(results)],
        [names, bytes, buffers, results],
      );
      const cut = bytes.map((all, i) => all.subarray(0, lengths[i]));
      return { code, results: decodeResults(results, keys.length), bytes: cut };
    },
    async batchQuery(keys) {
      const names = encodeKeys(keys);
      const infos = Buffer.alloc(maxInfoBytes * Math.max(keys.length, 1), fillByte);
      const code = await call(
        engine.mmcc_batch_query,
        [addressOf(names.pointers), keys.length, addressOf(infos), 0],
        [names, infos],
      );
      return { code, infos: decodeInfos(infos, keys.length) };
    },
    batchExist: (keys) => batch(engine.mmcc_batch_exist, keys),
    batchRemove: (keys) => batch(engine.mmcc_batch_remove, keys),
    async timeExist(key, count) {
      const name = encodeKey(key);
      const microseconds: number[] = [];
      for (let i = 0; i < count; i++) {
        const from = performance.now();
        engine.mmcc_exist(addressOf(name), 0);
        microseconds.push((performance.now() - from) * 1000);
      }
      return microseconds;
    },
  };

  async function get(key: Key, length: number, medium?: number) {
    const name = encodeKey(key);
    const bytes = untouched(Math.max(length, 1));
    const buffer = encodeBuffers([bytes], [length], medium);
    const args = [addressOf(name), addressOf(buffer), 0] as const;
    const code = await call(engine.mmcc_get, args, [name, bytes, buffer]);
    return { code, bytes: bytes.subarray(0, length) };
  }

  async function batch(
    native: NativeFunction<[keys: Address, count: number, results: Address, flags: number]>,
    keys: readonly Key[],
  ): Promise<Batch> {
    const names = encodeKeys(keys);
    const results = encodeResults(keys.length);
    const args = [addressOf(names.pointers), keys.length, addressOf(results), 0] as const;
    const code = await call(native, args, [names, results]);
    return { code, results: decodeResults(results, keys.length) };
  }
}

/** Keeps the arguments of asynchronous calls referenced, since koffi does not: GC would free their memory. */
const held = new Set<readonly unknown[]>();

function call<Arguments extends readonly unknown[]>(
  native: NativeFunction<Arguments>,
  args: readonly [...Arguments],
  memory: readonly unknown[],
): Promise<number> {
  held.add(memory);
  return new Promise((resolve, reject) => {
    native.async(...args, (error: Error | null, code: number | undefined) => {
      held.delete(memory);
      if (error !== null) reject(error);
      else resolve(code ?? 0);
    });
  });
}

function offset(region: Buffer, at: number): Address {
  return (addressOf(region) + at) as Address;
}
