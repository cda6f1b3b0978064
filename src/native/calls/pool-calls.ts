import { MMC_OK } from '../../errors/engine-codes.ts';
import type { Address } from '../../os/libc.ts';
import { addressOf } from '../../os/libc.ts';
import { MmcError } from '../abi/errors.ts';
import type { PoolFunctions } from '../abi/pool-functions.ts';
import type { Medium } from '../abi/types.ts';
import type { CallMemoryPool } from './call-memory-pool.ts';
import { callNative } from './call-native.ts';
import type { EngineContext } from './engine-context.ts';

export interface MediumBytes {
  readonly medium: Medium;
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

export interface SegmentBytes {
  readonly serviceId: number;
  readonly medium: Medium;
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export interface PoolStats {
  /** Only the media of which the pool has bytes. */
  readonly media: readonly MediumBytes[];
  readonly objects: number;
  readonly evictions: number;
  readonly segments: readonly SegmentBytes[];
}

/** The lowest `limit` keys that begin with `prefix` and come after `after`, by their bytes. */
export interface KeyRange {
  readonly prefix: Buffer;
  /** Empty for the first page. */
  readonly after: Buffer;
  readonly limit: number;
}

export interface KeyPage {
  readonly keys: readonly Buffer[];
  /** Whether there may be keys after the last one. */
  readonly more: boolean;
}

/** Offsets in mmc_embedded_pool_stats and mmc_embedded_key_page, as checked in mmc_abi.h. */
const STATS_BYTES = 1632;
const STATS = { segmentCount: 4, objects: 8, evictions: 16, media: 24, segments: 96 };
const MEDIUM_BYTES = 24;
const SEGMENT_BYTES = 24;
const PAGE_BYTES = 32;
const PAGE = { keys: 0, bytes: 8, limit: 16, count: 20, more: 24 };
const MAX_KEY_BYTES = 256;
const NUL = Buffer.alloc(1);
const MEDIA: readonly Medium[] = ['HBM', 'DRAM', 'SSD'];

/** What the pool holds, from the embedded engine. */
export class PoolCalls {
  readonly #functions: PoolFunctions;
  readonly #memory: CallMemoryPool;
  readonly #context: EngineContext;

  /** Each list in flight occupies a piece of `memory`, so that the gateway does not uninitialise the engine before the list returns. */
  constructor(functions: PoolFunctions, memory: CallMemoryPool, context: EngineContext) {
    this.#functions = functions;
    this.#memory = memory;
    this.#context = context;
  }

  /** Takes a few microseconds. @throws MmcError after the engine has left its pool */
  stats(): PoolStats {
    const bytes = Buffer.alloc(STATS_BYTES);
    bytes.writeUInt32LE(STATS_BYTES, 0);
    const code = this.#functions.stats(addressOf(bytes));
    if (code !== MMC_OK) throw new MmcError(code, 'stats');
    const number = (at: number) => Number(bytes.readBigUInt64LE(at));
    const media = MEDIA.map((medium, index) => {
      const at = STATS.media + index * MEDIUM_BYTES;
      return {
        medium,
        totalBytes: number(at),
        usedBytes: number(at + 8),
        freeBytes: number(at + 16),
      };
    });
    const count = bytes.readUInt32LE(STATS.segmentCount);
    const segments = Array.from({ length: count }, (_, index) => {
      const at = STATS.segments + index * SEGMENT_BYTES;
      return {
        serviceId: bytes.readUInt32LE(at),
        medium: MEDIA[bytes.readUInt32LE(at + 4)] ?? 'DRAM',
        totalBytes: number(at + 8),
        usedBytes: number(at + 16),
      };
    });
    return {
      media: media.filter(({ totalBytes }) => totalBytes > 0),
      objects: number(STATS.objects),
      evictions: number(STATS.evictions),
      segments,
    };
  }

  /** Walks over all objects: about 0.1 s for a million. @throws MmcError */
  list({ prefix, after, limit }: KeyRange): Promise<KeyPage> {
    return this.#memory.use(async () => {
      const keys = Buffer.allocUnsafeSlow(limit * (MAX_KEY_BYTES + 1));
      const page = Buffer.alloc(PAGE_BYTES);
      page.writeBigUInt64LE(BigInt(addressOf(keys)), PAGE.keys);
      page.writeBigUInt64LE(BigInt(keys.length), PAGE.bytes);
      page.writeUInt32LE(limit, PAGE.limit);
      // One buffer for both texts, each with its NUL.
      const texts = Buffer.concat([prefix, NUL, after, NUL]);
      const first = addressOf(texts);
      const last = (first + prefix.length + 1) as Address;
      const start = performance.now();
      const code = await callNative(this.#functions.list, [first, last, addressOf(page)]);
      this.#context.onCall?.('list', code, performance.now() - start);
      // The engine has read this until now: a use after the call keeps the garbage collector from taking it.
      texts.fill(0);
      if (code !== MMC_OK) throw new MmcError(code, 'list');
      return { keys: keysIn(keys, page.readUInt32LE(PAGE.count)), more: page[PAGE.more] === 1 };
    });
  }
}

/** Copies, so that a page of few keys does not keep the memory of the largest. */
function keysIn(bytes: Buffer, count: number): Buffer[] {
  const keys: Buffer[] = [];
  for (let at = 0; keys.length < count; ) {
    const end = bytes.indexOf(0, at);
    keys.push(Buffer.from(bytes.subarray(at, end)));
    at = end + 1;
  }
  return keys;
}
