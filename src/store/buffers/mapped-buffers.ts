import { closeSync } from 'node:fs';
import { codeName, MMC_OK } from '../../errors/engine-codes.ts';
import type { RegionSpec, WorkerRegionState } from '../../messages/regions.ts';
import { type BlockCopy, copyBlocks } from '../../native/regions/copy-blocks.ts';
import { SharedRegion, type Transfer } from '../../native/regions/region.ts';
import { RegionLibrary } from '../../native/regions/region-library.ts';
import { reopenMemoryFile } from '../../os/memory-files.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';

export interface MappedBuffersOptions {
  readonly scheduler: Pick<Scheduler, 'registerMemory' | 'unregisterMemory'>;
  /** The process that has the memory open. */
  readonly supervisorPid: number;
  /** Called after each change of a region. */
  readonly report: (generation: number, state: WorkerRegionState, detail: string) => void;
}

/** Memory of a client in this worker. */
export class MappedBuffer {
  readonly spec: RegionSpec;
  readonly region: SharedRegion;
  readonly #onBroken: () => void;
  state: Exclude<WorkerRegionState, 'failed' | 'unmapped'> = 'mapped';

  constructor(spec: RegionSpec, region: SharedRegion, onBroken: () => void) {
    this.spec = spec;
    this.region = region;
    this.#onBroken = onBroken;
  }

  /** Asks the kernel. The first time that it is so, all workers give the memory up. */
  isBroken(): boolean {
    if (!this.region.isBroken()) return false;
    if (this.state === 'mapped') {
      this.state = 'broken';
      this.#onBroken();
    }
    return true;
  }

  begin(): Transfer {
    return this.region.begin();
  }
}

/** The regions that this worker has mapped and registered with its engine. */
export class MappedBuffers {
  readonly #options: MappedBuffersOptions;
  readonly #library: RegionLibrary;
  readonly #buffers = new Map<number, MappedBuffer>();
  readonly #byName = new Map<string, MappedBuffer>();
  /** The last change of each region: one follows the other. */
  readonly #changes = new Map<number, Promise<void>>();

  private constructor(options: MappedBuffersOptions, library: RegionLibrary) {
    this.#options = options;
    this.#library = library;
  }

  /** Resolves with a reason where this process could not survive that a client truncates its memory. */
  static async open(options: MappedBuffersOptions): Promise<MappedBuffers | string> {
    try {
      return new MappedBuffers(options, await RegionLibrary.open());
    } catch (error) {
      return String(error);
    }
  }

  /** Reports `mapped`, or `failed` with the reason. */
  map(spec: RegionSpec): Promise<void> {
    return this.#inOrder(spec.generation, () => this.#map(spec));
  }

  /** Reports `draining` while transfers are in flight, and then `unmapped`. */
  unmap(generation: number): Promise<void> {
    return this.#inOrder(generation, () => this.#unmap(generation));
  }

  /** Transfers in flight by generation. */
  counts(): Record<string, number> {
    const entries = [...this.#buffers].map(([generation, { region }]) => [
      generation,
      region.inFlight,
    ]);
    return Object.fromEntries(entries) as Record<string, number>;
  }

  find(name: string): MappedBuffer | undefined {
    return this.#byName.get(name);
  }

  copy(copies: readonly BlockCopy[]): Promise<void> {
    return copyBlocks(this.#library, copies);
  }

  async #inOrder(generation: number, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(generation);
    const next = (before ?? Promise.resolve()).then(change);
    this.#changes.set(generation, next);
    await next;
    if (this.#changes.get(generation) === next) this.#changes.delete(generation);
  }

  async #map(spec: RegionSpec): Promise<void> {
    const { generation } = spec;
    const { report } = this.#options;
    try {
      const region = this.#open(spec);
      // After a call that is late the memory stays mapped: the engine may still register it.
      const code = await this.#register(region);
      if (code !== MMC_OK) {
        region.unmap();
        throw new Error(`the engine refused the memory: ${codeName(code)} (${code})`);
      }
      const buffer = new MappedBuffer(spec, region, () => report(generation, 'broken', ''));
      this.#buffers.set(generation, buffer);
      this.#byName.set(spec.name, buffer);
      report(generation, 'mapped', '');
    } catch (error) {
      report(generation, 'failed', error instanceof Error ? error.message : String(error));
    }
  }

  #open({ descriptor, file, offset, byteSize }: RegionSpec): SharedRegion {
    const own = reopenMemoryFile(this.#options.supervisorPid, descriptor, file);
    try {
      return new SharedRegion(this.#library, { descriptor: own, offset, bytes: byteSize });
    } catch (error) {
      closeSync(own);
      throw error;
    }
  }

  #register(region: SharedRegion): Promise<number> {
    return this.#options.scheduler.registerMemory(region.address, region.bytes);
  }

  async #unmap(generation: number): Promise<void> {
    const { report, scheduler } = this.#options;
    const buffer = this.#buffers.get(generation);
    if (buffer !== undefined) {
      const { region, spec } = buffer;
      if (buffer.state === 'mapped') buffer.state = 'draining';
      if (region.inFlight > 0) report(generation, 'draining', '');
      await region.idle();
      try {
        await scheduler.unregisterMemory(region.address, region.bytes);
      } catch {
        // The engine may still use the addresses, so no other mapping may get them.
        return;
      }
      region.unmap();
      this.#buffers.delete(generation);
      if (this.#byName.get(spec.name) === buffer) this.#byName.delete(spec.name);
    }
    report(generation, 'unmapped', '');
  }
}
