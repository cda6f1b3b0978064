import { MMC_INVALID_PARAM, MMC_OK, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import { EngineClosedError } from '../native/abi/errors.ts';
import type { Arena, DataInfo } from '../native/abi/types.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { deadlineArgument } from './arguments.ts';
import { asCode } from './as-code.ts';
import { checkDirect, type HostDirect, MmcCopyDirect } from './copy-direct.ts';
import { KeyInfo } from './key-info.ts';
import { type ReplicateConfig, toPutOptions } from './replicate-config.ts';
import { askBatch } from './store-batches.ts';
import { StoreConnection } from './store-connection.ts';
import type { StoreOptions } from './store-options.ts';
import {
  check,
  checkKey,
  failure,
  putObject,
  putObjects,
  readObject,
  readObjects,
  readWhole,
  type StoreSession,
} from './store-session.ts';
import type { Bytes } from './transfer.ts';

const { SMEMB_COPY_G2H, SMEMB_COPY_H2G } = MmcCopyDirect;

type Replication = Partial<ReplicateConfig>;

/**
 * The engine's object store with the methods of its Python class, for Node programs. A process has one
 * open store; several need several processes.
 *
 * Bytes are Buffers (any Uint8Array) or blocks of `arena`. Blocks, and Buffers inside a registered one,
 * are used in place; others are copied through the arena. Do not change the bytes of a put, and do not
 * read the target of a get, before the promise settles. After a failed get, the content of a target
 * used in place is undefined; after EngineDeadlineError it may still be written later.
 *
 * Where Python returns a code or an empty value, a single operation rejects with MmcError. A batch
 * resolves with a code for each key, 0 for success, and rejects only if no engine call was possible. If
 * a later call of a large batch was not possible, its keys and those after it have MMC_TIMEOUT,
 * MMC_NOT_ENOUGH_MEMORY or MMC_CLIENT_NOT_INIT, by its reason.
 * Every operation rejects with EngineClosedError before `init` and after `close`, with
 * EngineDeadlineError or EngineStuckError if the engine does not return, with ArenaFullError if there
 * is no memory for the copy now, and with RangeError if there never will be.
 */
export class DistributedObjectStore {
  readonly #options: StoreOptions;
  #connection: StoreConnection | undefined;
  #opening: Promise<void> | undefined;

  constructor(options: StoreOptions = {}) {
    this.#options = options;
  }

  /**
   * Joins the pool. `deviceId` is 0…383. No effect on a store that is already open, as in the engine.
   * @throws EngineLoadError with advice; RangeError for an option out of its range.
   */
  async init(deviceId: number): Promise<void> {
    if (this.#connection !== undefined) return;
    this.#opening ??= this.#join(deviceId).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /**
   * Waits for operations in progress, at most for `deadlineMs`, and leaves the pool.
   * @throws EngineDeadlineError if the engine does not return: end the process with `exitNow`.
   */
  async close(deadlineMs = 20_000): Promise<void> {
    const limitMs = deadlineArgument(deadlineMs);
    await this.#opening?.catch(() => undefined);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close(limitMs);
  }

  /** Memory that is registered with the engine; its blocks need no copy. */
  get arena(): Arena {
    return this.#open('arena').arena;
  }

  getLocalServiceId(): Promise<number> {
    return new Promise((resolve) => resolve(this.#open('getLocalServiceId').engine.serviceId));
  }

  /** Stores an object of 1 byte or more under a key of 1…255 bytes; −3006 if the key exists. */
  async put(key: string, value: Bytes, config: Replication = {}): Promise<void> {
    await this.#putObject('put', key, [value], config);
  }

  async putFrom(
    key: string,
    source: Bytes,
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    this.#moving('putFrom', direct, SMEMB_COPY_H2G);
    await this.#putObject('putFrom', key, [source], config);
  }

  async batchPutFrom(
    keys: readonly string[],
    sources: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    const session = this.#moving('batchPutFrom', direct, SMEMB_COPY_H2G);
    const objects = sources.map((source) => [source]);
    return putObjects(session, keys, objects, toPutOptions(config, session.operation), asCode);
  }

  /** Stores layers in sequence as one object; their sizes are not stored. */
  async putFromLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    this.#moving('putFromLayers', direct, SMEMB_COPY_H2G);
    await this.#putObject('putFromLayers', key, layers, config);
  }

  async batchPutFromLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    const session = this.#moving('batchPutFromLayers', direct, SMEMB_COPY_H2G);
    return putObjects(session, keys, layers, toPutOptions(config, session.operation), asCode);
  }

  /** The object's bytes as a copy; −3102 if no object has this key. */
  async get(key: string): Promise<Buffer> {
    const read = await readWhole(this.#session('get'), key);
    if (typeof read === 'number') throw failure(read, 'get');
    return read;
  }

  /** Reads an object of exactly the target's length; −1 if it is missing or has another length. */
  async getInto(key: string, target: Bytes, direct: MmcCopyDirect = SMEMB_COPY_G2H): Promise<void> {
    const session = this.#moving('getInto', direct, SMEMB_COPY_G2H);
    check(await readObject(session, key, [target]), session.operation);
  }

  async batchGetInto(
    keys: readonly string[],
    targets: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    const session = this.#moving('batchGetInto', direct, SMEMB_COPY_G2H);
    const objects = targets.map((target) => [target]);
    return readObjects(session, keys, objects, asCode);
  }

  /** Reads one object into layers; their lengths must add up to that of the object. */
  async getIntoLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<void> {
    const session = this.#moving('getIntoLayers', direct, SMEMB_COPY_G2H);
    check(await readObject(session, key, layers), session.operation);
  }

  async batchGetIntoLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    const session = this.#moving('batchGetIntoLayers', direct, SMEMB_COPY_G2H);
    return readObjects(session, keys, layers, asCode);
  }

  async remove(key: string): Promise<void> {
    const scheduler = this.#open('remove');
    checkKey(key, 'remove');
    check(await scheduler.single.remove(key), 'remove');
  }

  async removeBatch(keys: readonly string[]): Promise<number[]> {
    const scheduler = this.#open('removeBatch');
    return askBatch(keys, MMC_INVALID_PARAM, (part) => scheduler.batches.of().remove(part), asCode);
  }

  async isExist(key: string): Promise<boolean> {
    const scheduler = this.#open('isExist');
    checkKey(key, 'isExist');
    const code = await scheduler.single.exist(key);
    if (code !== MMC_UNMATCHED_KEY) check(code, 'isExist');
    return code === MMC_OK;
  }

  /** For each key 1 if the object exists, 0 if it does not, otherwise the engine's code. */
  async batchIsExist(keys: readonly string[]): Promise<number[]> {
    const scheduler = this.#open('batchIsExist');
    const codes = await askBatch(
      keys,
      MMC_INVALID_PARAM,
      (part) => scheduler.batches.of().exist(part),
      asCode,
    );
    return codes.map((code) => (code === MMC_OK ? 1 : code === MMC_UNMATCHED_KEY ? 0 : code));
  }

  async getKeyInfo(key: string): Promise<KeyInfo> {
    return new KeyInfo(await this.#query('getKeyInfo', key));
  }

  /** For each key its information, or undefined if no object has this key. */
  async batchGetKeyInfo(keys: readonly string[]): Promise<(KeyInfo | undefined)[]> {
    const scheduler = this.#open('batchGetKeyInfo');
    const ask = async (part: string[]) => {
      const { codes, infos } = await scheduler.batches.of().query(part);
      for (const code of codes) if (code !== MMC_UNMATCHED_KEY) check(code, 'batchGetKeyInfo');
      return infos.map((info) => (info.valid ? new KeyInfo(info) : undefined));
    };
    return askBatch<KeyInfo | undefined, never>(keys, undefined, ask, (error) => {
      throw error;
    });
  }

  /** Registers a Buffer with the engine, so that its bytes need no copy; held until it is unregistered. */
  async registerBuffer(buffer: Uint8Array): Promise<void> {
    await this.#opened('registerBuffer').registerBuffer(buffer, 'registerBuffer');
  }

  /** Call it when no operation uses the Buffer. No error for a Buffer that was never registered. */
  async unregisterBuffer(buffer: Uint8Array): Promise<void> {
    await this.#opened('unregisterBuffer').unregisterBuffer(buffer, 'unregisterBuffer');
  }

  async #join(deviceId: number): Promise<void> {
    this.#connection = await StoreConnection.open(this.#options, deviceId);
  }

  #opened(operation: string): StoreConnection {
    if (this.#connection === undefined) throw new EngineClosedError(operation);
    return this.#connection;
  }

  #open(operation: string): Scheduler {
    return this.#opened(operation).scheduler(operation);
  }

  async #query(operation: string, key: string): Promise<DataInfo> {
    const scheduler = this.#open(operation);
    checkKey(key, operation);
    const { code, info } = await scheduler.single.query(key);
    check(code, operation);
    return info;
  }

  #session(operation: string): StoreSession {
    return this.#opened(operation).session(operation);
  }

  #moving(operation: string, direct: MmcCopyDirect, allowed: HostDirect): StoreSession {
    const session = this.#session(operation);
    checkDirect(direct, allowed, operation);
    return session;
  }

  async #putObject(
    operation: string,
    key: string,
    pieces: readonly Bytes[],
    config: Replication,
  ): Promise<void> {
    const session = this.#session(operation);
    checkKey(key, operation);
    check(await putObject(session, key, pieces, toPutOptions(config, operation)), operation);
  }
}
