/// <reference lib="esnext.disposable" preserve="true" />
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkOptions, kindOf, refuse } from '../arguments.ts';
import { readResults } from '../batch/results.ts';
import { GatewayError, undefinedIfMissing } from '../gateway-error.ts';
import type { components } from '../generated/api.ts';
import type { Placement } from '../target.ts';
import { type Call, type CallOptions, createTransport, type Transport } from '../transport.ts';
import {
  type BufferGetEntry,
  type BufferGetResult,
  type BufferPutEntry,
  type BufferPutResult,
  checkInside,
  checkItems,
  checkWhole,
  getReading,
  putReading,
} from './items.ts';
import { MemoryFile } from './memory-file.ts';
import { checkSharedBufferOptions, type SharedBufferOptions } from './options.ts';
import { fetchFrom, type SocketFetch, within } from './socket-fetch.ts';

export interface BufferPutOptions extends Placement, CallOptions {}

/** What the gateway knows about the buffer. */
export type BufferInfo = Readonly<components['schemas']['Buffer']>;

interface Parts {
  readonly name: string;
  readonly byteSize: number;
  readonly offset: number;
  readonly timeoutMs: number;
  readonly memory: MemoryFile;
  readonly socket: SocketFetch | undefined;
  readonly transport: Transport;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** Between two questions whether the gateway still uses the memory. */
const DRAIN_POLL_MS = 50;
/** For the removal of a registration that took too long, and that the caller does not wait for otherwise. */
const WITHDRAW_MS = 5000;

/**
 * A buffer in shared memory, registered at a gateway. `write` and `read` copy bytes between it and this
 * program; `put` and `get` move objects between it and the pool. Do not write to bytes while a put or get
 * uses them. Close it after use: `await using` does.
 */
export class SharedBuffer implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #transfers = new Set<Promise<unknown>>();
  #isClosed = false;
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Creates shared memory, or opens that of `shmKey`, and registers it. Rejects with GatewayError if the
   * gateway refuses it, and with TypeError for an option that it does not accept. Then no memory stays.
   */
  static async create(options: SharedBufferOptions): Promise<SharedBuffer> {
    checkSharedBufferOptions(options);
    const unique = randomUUID();
    const { byteSize, name = unique, shmKey, offset = 0, ttlMs, socketPath } = options;
    const memory =
      shmKey === undefined
        ? await MemoryFile.create(`/memcache-${unique}`, byteSize)
        : await MemoryFile.open(shmKey);
    const socket = socketPath === undefined ? undefined : fetchFrom(socketPath);
    const { timeoutMs = DEFAULT_TIMEOUT_MS, token, headers, retries, retryDelayMs } = options;
    const baseUrl = options.baseUrl ?? 'http://localhost';
    const sending = { token, headers, retries, retryDelayMs, fetch: socket?.fetch };
    const transport = createTransport({ baseUrl, ...sending });
    const buffer = new SharedBuffer({
      ...{ name, byteSize, offset, timeoutMs, memory, socket, transport },
    });
    try {
      // The same registration again changes nothing, so it may be retried.
      const body = { shmKey: memory.shmKey, offset, byteSize, ttlMs };
      await buffer.#call({ method: 'PUT', path: '', safe: true, body }, {});
      return buffer;
    } catch (error) {
      // Without a response, the gateway may have registered the memory.
      if (!(error instanceof GatewayError) && shmKey === undefined) await buffer.#withdraw();
      await buffer.#release();
      throw error;
    }
  }

  /** The name of the buffer at the gateway. */
  get name(): string {
    return this.#parts.name;
  }

  /** The name of the shared memory, for other programs that map it. */
  get shmKey(): string {
    return this.#parts.memory.shmKey;
  }

  get byteSize(): number {
    return this.#parts.byteSize;
  }

  /** Copies bytes into the buffer. */
  async write(bytes: Uint8Array, offset = 0): Promise<void> {
    this.#requireBytes(bytes, 'bytes', offset);
    await this.#use(() => this.#parts.memory.write(bytes, this.#parts.offset + offset));
  }

  /** A copy of bytes of the buffer. */
  async read(offset: number, size: number): Promise<Uint8Array> {
    checkWhole(offset, 'offset', 0);
    checkWhole(size, 'size', 0);
    checkInside(offset, size, 'offset and size', this.byteSize);
    const bytes = new Uint8Array(size);
    await this.readInto(bytes, offset);
    return bytes;
  }

  /** Fills `into` with bytes of the buffer. */
  async readInto(into: Uint8Array, offset = 0): Promise<void> {
    this.#requireBytes(into, 'into', offset);
    await this.#use(() => this.#parts.memory.read(into, this.#parts.offset + offset));
  }

  /** Stores objects from the buffer, with the same options for all. There is a result for each, in order. */
  async put(
    items: readonly BufferPutEntry[],
    options: BufferPutOptions = {},
  ): Promise<BufferPutResult[]> {
    checkOptions(options, ['replicas', 'prefer', 'ifExists', 'signal']);
    checkItems(items, true, this.byteSize);
    const { replicas, prefer, ifExists } = options;
    const body = { items, replicas, prefer, ifExists };
    // After a request that took too long some objects may be stored, and a retry would find them existing.
    const final = ifExists === undefined || ifExists === 'fail' ? [408] : [];
    const keys = items.map(({ key }) => key);
    return this.#use(() =>
      this.#call({ method: 'POST', path: '/put', safe: false, body, final }, options, (response) =>
        readResults(response, keys, putReading),
      ),
    );
  }

  /** Reads objects into the buffer. There is a result for each, in order; a missing object has no size. */
  async get(
    items: readonly BufferGetEntry[],
    options: CallOptions = {},
  ): Promise<BufferGetResult[]> {
    checkOptions(options, ['signal']);
    checkItems(items, false, this.byteSize);
    const keys = items.map(({ key }) => key);
    return this.#use(() =>
      this.#call(
        { method: 'POST', path: '/get', safe: true, body: { items } },
        options,
        (response) => readResults(response, keys, getReading),
      ),
    );
  }

  /** Undefined if the gateway does not have the buffer any more. */
  async info(options: CallOptions = {}): Promise<BufferInfo | undefined> {
    checkOptions(options, ['signal']);
    return this.#use(() => this.#view(options));
  }

  /**
   * Waits for the transfers of this object, removes the buffer from the gateway, and the memory that
   * `create` has made. Rejects if the gateway cannot be reached, or still uses the buffer after `timeoutMs`,
   * as during an engine call that outlives its request. The memory loses its name all the same, and a second
   * `close` asks the gateway again.
   */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#transfers);
    try {
      await this.#remove(this.#parts.timeoutMs);
    } finally {
      await this.#release();
    }
  }

  /** Resolves when the gateway does not use the memory any more. */
  async #remove(timeoutMs: number): Promise<void> {
    const options = { signal: AbortSignal.timeout(timeoutMs) };
    const status = this.#call({ method: 'DELETE', path: '', safe: true }, options, (response) =>
      Promise.resolve(response.status),
    );
    if ((await undefinedIfMissing(status, 'buffer-not-found')) !== 202) return;
    while ((await this.#view(options)) !== undefined) await sleep(DRAIN_POLL_MS);
  }

  /** Removes the registration of this memory, if there is one. A gateway that does not respond may keep it. */
  async #withdraw(): Promise<void> {
    try {
      const view = await this.#view({ signal: AbortSignal.timeout(WITHDRAW_MS) });
      if (view?.shmKey === this.shmKey) await this.#remove(WITHDRAW_MS);
    } catch {
      // The failure of the registration is what the caller needs to know.
    }
  }

  #view(options: CallOptions): Promise<BufferInfo | undefined> {
    const call = { method: 'GET', path: '', safe: true };
    return undefinedIfMissing(
      this.#call(call, options, (response) => response.json() as Promise<BufferInfo>),
      'buffer-not-found',
    );
  }

  async #release(): Promise<void> {
    this.#parts.socket?.close();
    await this.#parts.memory.close();
  }

  #requireBytes(bytes: unknown, name: string, offset: unknown): void {
    if (!(bytes instanceof Uint8Array)) refuse(name, `must be a Uint8Array, not ${kindOf(bytes)}`);
    checkWhole(offset, 'offset', 0);
    checkInside(offset, bytes.length, `offset and ${name}`, this.byteSize);
  }

  /** Work that `close` waits for. */
  async #use<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new Error(`the shared buffer '${this.name}' is closed`);
    const started = work();
    this.#transfers.add(started);
    try {
      return await started;
    } finally {
      this.#transfers.delete(started);
    }
  }

  #call<Result = undefined>(
    { path, body, ...call }: Omit<Call, 'body' | 'headers'> & { readonly body?: object },
    { signal }: CallOptions,
    read?: (response: Response) => Promise<Result>,
  ): Promise<Result> {
    const { transport, name, timeoutMs } = this.#parts;
    return transport(
      {
        ...call,
        path: `/v1/buffers/${name}${path}`,
        signal: within(timeoutMs, { signal }),
        headers: {
          Accept: 'application/json',
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      },
      read ?? (() => undefined as Result),
    );
  }
}
