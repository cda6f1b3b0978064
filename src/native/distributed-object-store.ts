import type { Client } from './client.ts';
import {
  MMC_ERROR,
  MMC_INVALID_PARAM,
  MMC_OK,
  MMC_UNMATCHED_KEY,
  UNTRUSTED_READ,
} from './codes.ts';
import { checkDirect, MmcCopyDirect } from './copy-direct.ts';
import { openEngine } from './engine-client.ts';
import { EngineClosedError, EngineDeadlineError, MmcError, UntrustedReadError } from './errors.ts';
import { isStorable } from './key-bytes.ts';
import { KeyInfo } from './key-info.ts';
import { RegisteredBuffers } from './registered-buffers.ts';
import { type ReplicateConfig, toPutOptions } from './replicate-config.ts';
import { askBatch, moveBatch } from './store-batches.ts';
import { resolveStoreOptions, type StoreOptions } from './store-options.ts';
import { type Bytes, copyIn, copyOut, transferOf, withBlocks } from './transfer.ts';
import type { Arena, DataInfo, PutOptions } from './types.ts';

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
  put(key: string, value: Bytes, config: Replication = {}): Promise<void> {
    return this.#put('put', key, [value], config);
  }

  async putFrom(
    key: string,
    source: Bytes,
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    checkDirect(direct, SMEMB_COPY_H2G, 'putFrom');
    await this.#put('putFrom', key, [source], config);
  }

  async batchPutFrom(
    keys: readonly string[],
    sources: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    const layers = sources.map((source) => [source]);
    return this.#batchPut('batchPutFrom', keys, layers, direct, config);
  }

  /** Stores layers, one after another, as one object; their sizes are not stored. */
  async putFromLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<void> {
    checkDirect(direct, SMEMB_COPY_H2G, 'putFromLayers');
    await this.#put('putFromLayers', key, layers, config);
  }

  async batchPutFromLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_H2G,
    config: Replication = {},
  ): Promise<number[]> {
    return this.#batchPut('batchPutFromLayers', keys, layers, direct, config);
  }

  /** The object's bytes, as a copy; −3102 when there is none. */
  async get(key: string): Promise<Buffer> {
    let info = await this.#query('get', key);
    for (;;) {
      const { size } = info;
      const target = Buffer.allocUnsafeSlow(size);
      const code = await this.#read('get', key, [target]);
      if (code === MMC_OK) return target;
      if (code !== MMC_ERROR) throw failure(code, 'get');
      // Removed, or replaced by one of another length, between query and get (engine.md §2).
      info = await this.#query('get', key);
      if (info.size === size) throw failure(code, 'get');
    }
  }

  /** Reads an object of exactly the target's length; −1 when it is missing or of another length. */
  async getInto(key: string, target: Bytes, direct: MmcCopyDirect = SMEMB_COPY_G2H): Promise<void> {
    checkDirect(direct, SMEMB_COPY_G2H, 'getInto');
    check(await this.#read('getInto', key, [target]), 'getInto');
  }

  async batchGetInto(
    keys: readonly string[],
    targets: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    const layers = targets.map((target) => [target]);
    return this.#batchGet('batchGetInto', keys, layers, direct);
  }

  /** Reads one object into layers, whose lengths must add up to the object's. */
  async getIntoLayers(
    key: string,
    layers: readonly Bytes[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<void> {
    checkDirect(direct, SMEMB_COPY_G2H, 'getIntoLayers');
    check(await this.#read('getIntoLayers', key, layers), 'getIntoLayers');
  }

  async batchGetIntoLayers(
    keys: readonly string[],
    layers: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect = SMEMB_COPY_G2H,
  ): Promise<number[]> {
    return this.#batchGet('batchGetIntoLayers', keys, layers, direct);
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

  async #put(
    operation: string,
    key: string,
    pieces: readonly Bytes[],
    config: Replication,
  ): Promise<void> {
    const client = this.#open(operation);
    checkKey(key, operation);
    const options = toPutOptions(config, operation);
    const transfer = transferOf(pieces, this.#registered);
    checkNotEmpty(transfer.length, operation);
    const code = await withBlocks([transfer], client.arena, this.#waitMs, async ([block]) => {
      if (block === undefined) return MMC_ERROR;
      copyIn(transfer, block);
      return client.put(key, block, transfer.length, options);
    });
    check(code, operation);
  }

  async #read(operation: string, key: string, pieces: readonly Bytes[]): Promise<number> {
    const client = this.#open(operation);
    checkKey(key, operation);
    const transfer = transferOf(pieces, this.#registered);
    checkNotEmpty(transfer.length, operation);
    return withBlocks([transfer], client.arena, this.#waitMs, async ([block]) => {
      if (block === undefined) return MMC_ERROR;
      const { code } = await client.get(key, block, transfer.length);
      if (code === MMC_OK) copyOut(transfer, block);
      return code;
    });
  }

  async #batchPut(
    operation: string,
    keys: readonly string[],
    objects: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect,
    config: Replication,
  ): Promise<number[]> {
    const client = this.#open(operation);
    checkDirect(direct, SMEMB_COPY_H2G, operation);
    const options: PutOptions = toPutOptions(config, operation);
    const transfers = objects.map((pieces) => transferOf(pieces, this.#registered));
    return moveBatch(keys, transfers, this.#memory(client), async (part, blocks, moved) => {
      moved.forEach((transfer, index) => {
        const block = blocks[index];
        if (block !== undefined) copyIn(transfer, block);
      });
      return (await client.batchPut(part, blocks, options)).results;
    });
  }

  async #batchGet(
    operation: string,
    keys: readonly string[],
    objects: readonly (readonly Bytes[])[],
    direct: MmcCopyDirect,
  ): Promise<number[]> {
    const client = this.#open(operation);
    checkDirect(direct, SMEMB_COPY_G2H, operation);
    const transfers = objects.map((pieces) => transferOf(pieces, this.#registered));
    return moveBatch(keys, transfers, this.#memory(client), async (part, blocks, moved) => {
      const { results } = await client.batchGet(part, blocks);
      moved.forEach((transfer, index) => {
        const block = blocks[index];
        if (block !== undefined && results[index] === MMC_OK) copyOut(transfer, block);
      });
      return results;
    });
  }

  #memory(client: Client): { arena: Arena; waitMs: number } {
    return { arena: client.arena, waitMs: this.#waitMs };
  }
}

function checkKey(key: string, operation: string): void {
  if (isStorable(key)) return;
  const detail = 'a key has 1 to 255 bytes of UTF-8, no NUL and no half surrogate pair';
  throw new MmcError(MMC_INVALID_PARAM, operation, detail);
}

/** The engine takes an empty object, and then loses space for good (engine.md §2). */
function checkNotEmpty(length: number, operation: string): void {
  if (length > 0) return;
  throw new MmcError(MMC_INVALID_PARAM, operation, 'an object has at least one byte');
}

function check(code: number, operation: string): void {
  if (code !== MMC_OK) throw failure(code, operation);
}

function failure(code: number, operation: string): Error {
  return code === UNTRUSTED_READ
    ? new UntrustedReadError(operation)
    : new MmcError(code, operation);
}
