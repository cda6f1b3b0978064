import type { Client } from './client.ts';
import { MMC_ERROR, MMC_INVALID_PARAM, MMC_OK, MMC_UNMATCHED_KEY } from './codes.ts';
import { checkDirect, MmcCopyDirect } from './copy-direct.ts';
import { openEngine } from './engine-client.ts';
import { EngineClosedError, EngineDeadlineError, MmcError } from './errors.ts';
import { KeyInfo } from './key-info.ts';
import { RegisteredBuffers } from './registered-buffers.ts';
import type { ReplicateConfig } from './replicate-config.ts';
import { askBatch } from './store-batches.ts';
import { resolveStoreOptions, type StoreOptions } from './store-options.ts';
import {
  check,
  checkKey,
  failure,
  putObject,
  putObjects,
  readObject,
  readObjects,
  type StoreSession,
} from './store-session.ts';
import type { Bytes } from './transfer.ts';
import type { Arena, DataInfo } from './types.ts';

const { SMEMB_COPY_G2H, SMEMB_COPY_H2G } = MmcCopyDirect;

type Replication = Partial<ReplicateConfig>;

/**
 * The engine's object store, method by method as in its Python class (reference/python-api.md), for a
 * Node program of its own. One open store in a process; several need several processes.
 *
 * Bytes are Buffers (any Uint8Array) or blocks of `arena`; sizes are theirs. Blocks and Buffers within
 * a registered one are used in place, others are copied through the arena. None may be changed, and
 * what a get fills may not be read, before the promise settles. A get that fails leaves no meaning in
 * a target used in place; after EngineDeadlineError such a target may still be written later.
 *
 * Where Python returns a code or an empty value, a single operation rejects with MmcError. A batch
 * resolves with a code for each key, 0 for success, and rejects only when the engine could not be
 * asked. Every operation rejects with EngineClosedError before `init` and after `close`, with
 * EngineDeadlineError or EngineStuckError when the engine does not answer, with ArenaFullError or
 * RangeError when there is no room for the copy, now or ever.
 */
export class DistributedObjectStore {
  readonly #options: StoreOptions;
  readonly #registered = new RegisteredBuffers();
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  /** For room in the arena. */
  #waitMs = 0;

  constructor(options: StoreOptions = {}) {
    this.#options = options;
  }

  /**
   * Joins the pool. `deviceId` is 0…383. A store that is open stays as it is, as in the engine.
   * @throws EngineLoadError with advice; RangeError for an option out of its range.
   */
  async init(deviceId: number): Promise<void> {
    if (this.#client !== undefined) return;
    this.#opening ??= this.#join(deviceId).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /**
   * Finishes what is under way, at most for `deadlineMs`, and leaves the pool.
   * @throws EngineDeadlineError when the engine does not return: end the process with `exitNow`.
   */
  async close(deadlineMs = 20_000): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    if (!(await client.close(deadlineMs))) throw new EngineDeadlineError('close', deadlineMs);
  }

  /** Memory that the engine knows; blocks from here need no copy. */
  get arena(): Arena {
    return this.#open('arena').arena;
  }

  getLocalServiceId(): Promise<number> {
    return new Promise((resolve) => resolve(this.#open('getLocalServiceId').serviceId));
  }

  /** Stores an object of 1 byte or more under a key of 1…255 bytes; −3006 when the key exists. */
  async put(key: string, value: Bytes, config: Replication = {}): Promise<void> {
    return putObject(this.#session('put'), key, [value], config);
  }

  async putFrom(
    key: string,
    source: Bytes,
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    const session = this.#session('putFrom');
    checkDirect(direct, SMEMB_COPY_H2G, session.operation);
    await putObject(session, key, [source], config);
  }

  async batchPutFrom(
    keys: readonly string[],
    sources: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    const session = this.#session('batchPutFrom');
    checkDirect(direct, SMEMB_COPY_H2G, session.operation);
    const objects = sources.map((source) => [source]);
    return putObjects(session, keys, objects, config);
  }

  /** Stores layers, one after another, as one object; their sizes are not stored. */
  async putFromLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    const session = this.#session('putFromLayers');
    checkDirect(direct, SMEMB_COPY_H2G, session.operation);
    await putObject(session, key, layers, config);
  }

  async batchPutFromLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    const session = this.#session('batchPutFromLayers');
    checkDirect(direct, SMEMB_COPY_H2G, session.operation);
    return putObjects(session, keys, layers, config);
  }

  /** The object's bytes, as a copy; −3102 when there is none. */
  async get(key: string): Promise<Buffer> {
    let info = await this.#query('get', key);
    for (;;) {
      const { size } = info;
      const target = Buffer.allocUnsafeSlow(size);
      const code = await readObject(this.#session('get'), key, [target]);
      if (code === MMC_OK) return target;
      if (code !== MMC_ERROR) throw failure(code, 'get');
      // Removed, or replaced by one of another length, between query and get (engine.md §2).
      info = await this.#query('get', key);
      if (info.size === size) throw failure(code, 'get');
    }
  }

  /** Reads an object of exactly the target's length; −1 when it is missing or of another length. */
  async getInto(key: string, target: Bytes, direct: MmcCopyDirect = SMEMB_COPY_G2H): Promise<void> {
    const session = this.#session('getInto');
    checkDirect(direct, SMEMB_COPY_G2H, session.operation);
    check(await readObject(session, key, [target]), session.operation);
  }

  async batchGetInto(
    keys: readonly string[],
    targets: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    const session = this.#session('batchGetInto');
    checkDirect(direct, SMEMB_COPY_G2H, session.operation);
    const objects = targets.map((target) => [target]);
    return readObjects(session, keys, objects);
  }

  /** Reads one object into layers, whose lengths must add up to the object's. */
  async getIntoLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<void> {
    const session = this.#session('getIntoLayers');
    checkDirect(direct, SMEMB_COPY_G2H, session.operation);
    check(await readObject(session, key, layers), session.operation);
  }

  async batchGetIntoLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    const session = this.#session('batchGetIntoLayers');
    checkDirect(direct, SMEMB_COPY_G2H, session.operation);
    return readObjects(session, keys, layers);
  }

  async remove(key: string): Promise<void> {
    const client = this.#open('remove');
    checkKey(key, 'remove');
    check(await client.remove(key), 'remove');
  }

  async removeBatch(keys: readonly string[]): Promise<number[]> {
    const client = this.#open('removeBatch');
    return askBatch(keys, MMC_INVALID_PARAM, async (part) => {
      return (await client.batchRemove(part)).results;
    });
  }

  async isExist(key: string): Promise<boolean> {
    const client = this.#open('isExist');
    checkKey(key, 'isExist');
    const code = await client.exist(key);
    if (code !== MMC_UNMATCHED_KEY) check(code, 'isExist');
    return code === MMC_OK;
  }

  /** For each key 1 when it exists, 0 when not, else the engine's code. */
  async batchIsExist(keys: readonly string[]): Promise<number[]> {
    const client = this.#open('batchIsExist');
    const codes = await askBatch(keys, MMC_INVALID_PARAM, async (part) => {
      return (await client.batchExist(part)).results;
    });
    return codes.map((code) => (code === MMC_OK ? 1 : code === MMC_UNMATCHED_KEY ? 0 : code));
  }

  async getKeyInfo(key: string): Promise<KeyInfo> {
    return new KeyInfo(await this.#query('getKeyInfo', key));
  }

  /** For each key its information, undefined when there is no such object. */
  async batchGetKeyInfo(keys: readonly string[]): Promise<(KeyInfo | undefined)[]> {
    const client = this.#open('batchGetKeyInfo');
    return askBatch<KeyInfo | undefined>(keys, undefined, async (part) => {
      const { code, infos } = await client.batchQuery(part);
      check(code, 'batchGetKeyInfo');
      return infos.map((info) => (info.valid ? new KeyInfo(info) : undefined));
    });
  }

  /** Tells the engine of a Buffer, so that bytes within it need no copy; it is held until told else. */
  async registerBuffer(buffer: Uint8Array): Promise<void> {
    const client = this.#open('registerBuffer');
    const located = this.#registered.locate(buffer);
    check(await client.registerMemory(located.address, buffer.length), 'registerBuffer');
    this.#registered.add(located);
  }

  /** To be called when no operation uses the Buffer; one that was never registered is no fault. */
  async unregisterBuffer(buffer: Uint8Array): Promise<void> {
    const client = this.#open('unregisterBuffer');
    const located = this.#registered.locate(buffer);
    this.#registered.delete(located);
    check(await client.unregisterMemory(located.address, buffer.length), 'unregisterBuffer');
  }

  async #join(deviceId: number): Promise<void> {
    const options = resolveStoreOptions(this.#options);
    this.#waitMs = options.deadlineMs;
    this.#client = await openEngine({ ...options, device: deviceId });
  }

  #open(operation: string): Client {
    if (this.#client === undefined) throw new EngineClosedError(operation);
    return this.#client;
  }

  async #query(operation: string, key: string): Promise<DataInfo> {
    const client = this.#open(operation);
    checkKey(key, operation);
    const { code, info } = await client.query(key);
    check(code, operation);
    if (!info.valid) throw new MmcError(MMC_UNMATCHED_KEY, operation);
    return info;
  }

  #session(operation: string): StoreSession {
    const client = this.#open(operation);
    return { client, registered: this.#registered, waitMs: this.#waitMs, operation };
  }
}
