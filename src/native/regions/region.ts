import { closeSync, fstatSync } from 'node:fs';
import type { Address } from '../../os/libc.ts';
import { viewMemory } from '../abi/abi.ts';
import type { Block } from '../abi/types.ts';
import { MAX_VIEW_BYTES } from '../arena/memory.ts';
import { type BlockOwner, NativeBlock } from '../arena/native-block.ts';
import type { Mapping, RegionLibrary } from './region-library.ts';

/** Views start at multiples of this, so that a block of at most this size lies in one view. */
const VIEW_STEP_BYTES = MAX_VIEW_BYTES / 2;

/**
 * One use of a region by a request. Its blocks may outlive the request: an engine call holds its blocks
 * until it returns, and the region stays mapped until then.
 */
export class Transfer implements BlockOwner<undefined> {
  readonly #region: SharedRegion;
  readonly #ended: () => void;
  #users = 1;

  constructor(region: SharedRegion, ended: () => void) {
    this.#region = region;
    this.#ended = ended;
  }

  /** @throws RangeError for bytes outside the region */
  block(offset: number, length: number): Block {
    const place = this.#region.place(offset, length);
    this.#users += 1;
    return new NativeBlock<undefined>(this, undefined, place);
  }

  /** Call it once, when the request needs no further block. */
  end(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#ended();
  }

  free(): void {
    this.end();
  }
}

export interface RegionFile {
  /** Open for reading and writing. The region closes it. */
  readonly descriptor: number;
  /** Of the first byte of the region in the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Memory of a client in this process. It stays mapped until the last transfer has ended. */
export class SharedRegion {
  readonly bytes: number;
  readonly #library: RegionLibrary;
  readonly #file: RegionFile;
  readonly #mapping: Mapping;
  readonly #views = new Map<number, Buffer>();
  #transfers = 0;
  #isBroken = false;
  #isMapped = true;
  #onIdle: (() => void) | undefined;

  /** @throws RegionError; the descriptor then stays open */
  constructor(library: RegionLibrary, file: RegionFile) {
    this.#library = library;
    this.#file = file;
    this.bytes = file.bytes;
    this.#mapping = library.map(file.descriptor, file.offset, file.bytes);
  }

  /** For the registration with the engine. */
  get address(): Address {
    return this.#mapping.address;
  }

  /** Requests that use the region, and those that have failed whose engine calls still use it. */
  get inFlight(): number {
    return this.#transfers;
  }

  /**
   * Whether the client has truncated the memory. Asks the kernel each time: a system call on a missing
   * page fails without a signal, and pages that the engine has pinned do not even fail.
   */
  isBroken(): boolean {
    if (!this.#isMapped) return this.#isBroken;
    const { descriptor, offset, bytes } = this.#file;
    this.#isBroken ||= this.#library.isBroken(this.#mapping);
    // As a bigint for the reason that node-internals/descriptor-lookup.ts gives.
    this.#isBroken ||= Number(fstatSync(descriptor, { bigint: true }).size) - offset < bytes;
    return this.#isBroken;
  }

  /** A new transfer. @throws Error after `close` */
  begin(): Transfer {
    if (this.#onIdle !== undefined || !this.#isMapped) throw new Error('a closed region was used');
    this.#transfers += 1;
    return new Transfer(this, () => {
      this.#transfers -= 1;
      if (this.#transfers === 0) this.#onIdle?.();
    });
  }

  /** Resolves once no transfer is in flight. From now on none can begin. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#transfers === 0) resolve();
    });
  }

  /** Unmaps the memory, which no transfer may use. */
  unmap(): void {
    if (this.#transfers > 0) throw new Error('a region in use was unmapped');
    if (!this.#isMapped) return;
    this.isBroken();
    this.#isMapped = false;
    this.#views.clear();
    this.#library.unmap(this.#mapping);
    closeSync(this.#file.descriptor);
  }

  place(offset: number, length: number) {
    const isInside =
      Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 1;
    if (!isInside || length > this.bytes || offset > this.bytes - length) {
      throw new RangeError(`bytes ${offset}+${length} of a region of ${this.bytes}`);
    }
    if (!this.#isMapped) throw new Error('a closed region was used');
    const address = (this.address + offset) as Address;
    if (length > VIEW_STEP_BYTES) {
      return { address, memory: viewMemory(address, length), start: 0, length };
    }
    const viewStart = Math.floor(offset / VIEW_STEP_BYTES) * VIEW_STEP_BYTES;
    return { address, memory: this.#viewFrom(viewStart), start: offset - viewStart, length };
  }

  #viewFrom(start: number): Buffer {
    const known = this.#views.get(start);
    if (known !== undefined) return known;
    const view = viewMemory(
      (this.address + start) as Address,
      Math.min(MAX_VIEW_BYTES, this.bytes - start),
    );
    this.#views.set(start, view);
    return view;
  }
}
