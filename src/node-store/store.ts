import { MMC_INVALID_PARAM, MMC_OK, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import type { Arena, DataInfo, Replica } from '../native/abi/types.ts';
import {
  bufferArgument,
  bytesArgument,
  deadlineArgument,
  entriesArgument,
  keyArgument,
  keysArgument,
  optionsArgument,
  type PutOutcome,
  piecesArgument,
  putArguments,
  type StorePutOptions,
  sizesArgument,
} from './arguments.ts';
import {
  asError,
  failed,
  foundOr,
  type ItemResult,
  type Outcome,
  settled,
} from './item-results.ts';
import { isFailure, queryMany, readMany } from './read-many.ts';
import { splitLayers } from './split-layers.ts';
import { askBatch } from './store-batches.ts';
import type { StoreConnection } from './store-connection.ts';
import {
  check,
  failure,
  putObject,
  putObjects,
  readInto,
  readWhole,
  settlePut,
} from './store-session.ts';
import type { Bytes } from './transfer.ts';

/** An object's length in bytes, and the service and medium of each replica. */
export interface ObjectInfo {
  readonly size: number;
  readonly replicas: readonly Replica[];
}

/** A value of at least one byte: memory of the caller, or a block of the store's arena. */
export type StoreBytes = Bytes | ArrayBuffer;

const CLOSE_MS = 20_000;

/**
 * An open store: the objects of the pool, without HTTP. `openStore` makes it; a process has one.
 *
 * Blocks of `arena`, and bytes inside a registered buffer, move without a copy. Do not change the bytes
 * of a put, and do not read the target of `getInto`, before the promise settles.
 *
 * A bad argument rejects with a TypeError that names it. Every other failure of a single operation
 * rejects with MmcError (`code` is the engine's name, `errno` its number), UntrustedReadError,
 * EngineDeadlineError, EngineStuckError, ArenaFullError, EngineClosedError after `close`, or RangeError
 * for a value that never fits into the arena. A batch resolves with a result for each item.
 */
export class Store implements AsyncDisposable {
  readonly #connection: StoreConnection;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
  }

  /** The id of this client's service, as `prefer` names it. */
  get serviceId(): number {
    return this.#connection.scheduler('serviceId').engine.serviceId;
  }

  /** Memory that is registered with the engine; its blocks need no copy. */
  get arena(): Arena {
    return this.#connection.scheduler('arena').arena;
  }

  /** The object's bytes as a copy; undefined if no object has this key. */
  async get(key: string): Promise<Buffer | undefined> {
    const read = await readWhole(this.#connection.session('get'), keyArgument(key));
    if (typeof read !== 'number') return read;
    return this.#missing(read, 'get');
  }

  /**
   * Reads an object of exactly the target's length. False if no object has this key; rejects with
   * MMC_ERROR if the object has another length. After a failure the content of the target is undefined.
   */
  async getInto(key: string, target: StoreBytes): Promise<boolean> {
    const session = this.#connection.session('getInto');
    const name = keyArgument(key);
    const code = await readInto(session, name, bytesArgument(target, 'target'));
    if (code !== MMC_UNMATCHED_KEY) check(code, 'getInto');
    return code === MMC_OK;
  }

  /** Stores an object. Rejects with MMC_DUPLICATED_OBJECT if it exists, unless `ifExists` says otherwise. */
  put(key: string, value: StoreBytes, options: StorePutOptions = {}): Promise<PutOutcome> {
    return this.#put('put', key, () => [bytesArgument(value, 'value')], options);
  }

  /** Whether an object has this key. */
  async has(key: string): Promise<boolean> {
    const scheduler = this.#connection.scheduler('has');
    const code = await scheduler.single.exist(keyArgument(key));
    if (code !== MMC_UNMATCHED_KEY) check(code, 'has');
    return code === MMC_OK;
  }

  /** True if there was an object, and it is removed now. */
  async delete(key: string): Promise<boolean> {
    const scheduler = this.#connection.scheduler('delete');
    const code = await scheduler.single.remove(keyArgument(key));
    if (code !== MMC_UNMATCHED_KEY) check(code, 'delete');
    return code === MMC_OK;
  }

  /** Undefined if no object has this key. */
  async info(key: string): Promise<ObjectInfo | undefined> {
    const scheduler = this.#connection.scheduler('info');
    const { code, info } = await scheduler.single.query(keyArgument(key));
    return code === MMC_OK ? infoOf(info) : this.#missing(code, 'info');
  }

  /** Each value as a copy; undefined if no object has the key. */
  async getMany(keys: readonly string[]): Promise<ItemResult<{ value: Buffer | undefined }>[]> {
    const session = this.#connection.session('getMany');
    return readMany(session, keysArgument(keys));
  }

  /** Stores each entry, with the same options for all. */
  async putMany(
    entries: Iterable<readonly [key: string, value: StoreBytes]>,
    options: StorePutOptions = {},
  ): Promise<ItemResult<{ outcome: PutOutcome }>[]> {
    const session = this.#connection.session('putMany');
    const pairs = entriesArgument(entries);
    const { options: placement, ifExists } = putArguments(options);
    const keys = pairs.map(([key]) => key);
    const pieces = pairs.map(([, value]) => [value]);
    const outcomes = await putObjects(session, keys, pieces, placement, asError);
    const results: ItemResult<{ outcome: PutOutcome }>[] = [];
    for (const [at, key] of keys.entries()) {
      const code = outcomes[at] as Outcome;
      if (typeof code !== 'number') {
        results.push(failed(code, 'putMany'));
        continue;
      }
      const put = { placement, ifExists, code };
      const settle = () => settlePut(session, key, pieces[at] as Bytes[], put);
      results.push(await settled(async () => ({ outcome: await settle() })));
    }
    return results;
  }

  async hasMany(keys: readonly string[]): Promise<ItemResult<{ exists: boolean }>[]> {
    const scheduler = this.#connection.scheduler('hasMany');
    const names = keysArgument(keys);
    const ask = (part: string[]) => scheduler.batches.of().exist(part);
    const outcomes = await askBatch<number, Error>(names, MMC_INVALID_PARAM, ask, asError);
    return outcomes.map((outcome) => foundOr(outcome, 'hasMany', (exists) => ({ exists })));
  }

  async deleteMany(keys: readonly string[]): Promise<ItemResult<{ deleted: boolean }>[]> {
    const scheduler = this.#connection.scheduler('deleteMany');
    const names = keysArgument(keys);
    const ask = (part: string[]) => scheduler.batches.of().remove(part);
    const outcomes = await askBatch<number, Error>(names, MMC_INVALID_PARAM, ask, asError);
    return outcomes.map((outcome) => foundOr(outcome, 'deleteMany', (deleted) => ({ deleted })));
  }

  async infoMany(keys: readonly string[]): Promise<ItemResult<{ info: ObjectInfo | undefined }>[]> {
    const session = this.#connection.session('infoMany');
    const infos = await queryMany(session, keysArgument(keys));
    return infos.map((info) =>
      info !== undefined && isFailure(info)
        ? failed(info, 'infoMany')
        : { ok: true, info: info && infoOf(info) },
    );
  }

  /** Stores layers in sequence as one object; the pool does not know their sizes. */
  putLayers(
    key: string,
    layers: readonly StoreBytes[],
    options: StorePutOptions = {},
  ): Promise<PutOutcome> {
    return this.#put('putLayers', key, () => piecesArgument(layers, 'layers'), options);
  }

  /**
   * The layers of an object, each as a copy; undefined if no object has this key. `sizes` must add up to
   * the length of the object, otherwise it rejects with RangeError.
   */
  async getLayers(
    key: string,
    options: { readonly sizes: readonly number[] },
  ): Promise<Buffer[] | undefined> {
    const { sizes } = optionsArgument(options, ['sizes']);
    const lengths = sizesArgument(sizes);
    const whole = await this.get(key);
    return whole && splitLayers(whole, lengths);
  }

  /** Registers memory with the engine, so that bytes inside it need no copy; held until it is unregistered. */
  async registerBuffer(buffer: Uint8Array): Promise<void> {
    bufferArgument(buffer);
    await this.#connection.registerBuffer(buffer, 'registerBuffer');
  }

  /** Call it when no operation uses the buffer. No error for a buffer that was never registered. */
  async unregisterBuffer(buffer: Uint8Array): Promise<void> {
    bufferArgument(buffer);
    await this.#connection.unregisterBuffer(buffer, 'unregisterBuffer');
  }

  /**
   * Waits for operations in progress, at most for `deadlineMs`, and leaves the pool. Without effect on a
   * closed store. @throws EngineDeadlineError if the engine does not return: end the process with `exitNow`.
   */
  async close(deadlineMs = CLOSE_MS): Promise<void> {
    await this.#connection.close(deadlineArgument(deadlineMs));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #put(
    operation: string,
    key: string,
    piecesOf: () => readonly Bytes[],
    given: StorePutOptions,
  ): Promise<PutOutcome> {
    const session = this.#connection.session(operation);
    const name = keyArgument(key);
    const pieces = piecesOf();
    const { options: placement, ifExists } = putArguments(given);
    const code = await putObject(session, name, pieces, placement);
    return settlePut(session, name, pieces, { placement, ifExists, code });
  }

  #missing(code: number, operation: string): undefined {
    if (code !== MMC_UNMATCHED_KEY) throw failure(code, operation);
    return undefined;
  }
}

const infoOf = ({ size, replicas }: DataInfo): ObjectInfo => ({ size, replicas });
