/**
 * The regions of all workers: the supervisor opens the memory of a client, lets every worker map it, and
 * gives it to workers that start later. It checks who may do what; the workers check the transfers.
 */
import { closeSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { PoolLog } from '../../log/waiting-log.ts';
import type { FromWorker, ToWorker } from '../../messages/protocol.ts';
import {
  mayUse,
  type RegionClient,
  type RegionReply,
  type RegionRequest,
  type Registration,
} from '../../messages/regions.ts';
import { canReplace, openRegion, type Refusal } from './admit-region.ts';
import { OrphanWatch } from './orphan-watch.ts';
import { RegionRecord } from './region-record.ts';
import { RegionWorkers } from './region-workers.ts';

export interface RegionTableOptions {
  readonly config: Pick<
    Config,
    'sharedBufferNames' | 'sharedBufferBytes' | 'sharedBufferOwners' | 'poolName'
  >;
  readonly log: PoolLog;
  /** Whether the worker of a device is ready. */
  readonly isServing: (device: number) => boolean;
  /** Limit for all workers to map or unmap a region; default 5 s and 1 s. */
  readonly mapMs?: number;
  readonly unmapMs?: number;
  readonly watchMs?: number;
}

export type RegionMessage = Extract<FromWorker, { type: 'region' | 'regionCounts' | 'askRegions' }>;

export class RegionTable {
  readonly #options: RegionTableOptions;
  readonly #workers = new RegionWorkers();
  /** All that some worker may have mapped, and those that are listed. */
  readonly #records = new Map<number, RegionRecord>();
  readonly #byName = new Map<string, RegionRecord>();
  #nextGeneration = 1;
  readonly #watch: OrphanWatch;

  constructor(options: RegionTableOptions) {
    this.#options = options;
    this.#watch = new OrphanWatch({
      records: () => [...this.#byName.values()],
      onOrphan: (record, reason) => this.#removeOrphan(record, reason),
      ...(options.watchMs === undefined ? {} : { watchMs: options.watchMs }),
    });
  }

  /** A worker process was started: it gets every region, and maps them before it is ready. */
  started(device: number, send: (message: ToWorker) => void): void {
    this.#workers.started(device, send);
    for (const record of this.#records.values()) {
      if (record.state === 'ready' || record.state === 'registering') this.#map(device, record);
    }
  }

  /** Its process has ended, and with it all its mappings. */
  ended(device: number): void {
    this.#workers.ended(device);
    for (const record of [...this.#records.values()]) {
      record.note(device, 'unmapped');
      this.#forgetUnmapped(record);
    }
  }

  receive(device: number, message: RegionMessage): void {
    if (message.type === 'regionCounts') {
      this.#workers.counted(device, message.id, message.counts);
    } else if (message.type === 'region') this.#changed(device, message);
    else void this.#respond(device, message.id, message.request);
  }

  async ask(request: RegionRequest): Promise<RegionReply> {
    const { by } = request;
    switch (request.ask) {
      case 'register':
        return this.#register(request.registration, by);
      case 'list':
        return this.#view([...this.#byName.values()].filter(isVisible(by)));
      case 'removeAll':
        return this.#removeAll([...this.#byName.values()].filter(isVisible(by)));
      default: {
        const record = this.#byName.get(request.name);
        if (record === undefined) return { problem: 'buffer-not-found', detail: '' };
        if (!isVisible(by)(record)) return { problem: 'buffer-not-permitted', detail: '' };
        return request.ask === 'find' ? this.#view([record]) : this.#removeAll([record]);
      }
    }
  }

  async #respond(device: number, id: number, request: RegionRequest): Promise<void> {
    const reply = await this.ask(request).catch((error: unknown): RegionReply => {
      this.#options.log.error({ err: error }, 'a request for shared buffers failed');
      return { problem: 'internal-error', detail: '' };
    });
    this.#workers.send(device, { type: 'regionsReply', id, reply });
  }

  async #view(records: readonly RegionRecord[], isNew?: boolean): Promise<RegionReply> {
    const counts = await this.#workers.count();
    const regions = records.map((record) => record.view(counts.get(record.spec.generation) ?? 0));
    return { regions, ...(isNew === undefined ? {} : { isNew }) };
  }

  async #register(registration: Registration, by: RegionClient): Promise<RegionReply> {
    const { config } = this.#options;
    const known = this.#byName.get(registration.name);
    if (known !== undefined && !mayUse(known.owner, by)) {
      return { problem: 'buffer-not-permitted', detail: '' };
    }
    const refusal = known === undefined ? undefined : canReplace(known);
    if (refusal !== undefined) return refusal;
    const used = [...this.#records.values()].filter((record) => record.isMapped);
    const opened = openRegion(registration, config, used, known);
    if ('problem' in opened) return opened;
    if (known?.state === 'ready') {
      closeSync(opened.descriptor);
      known.owner = registration.owner;
      known.limit(registration.ttlMs);
      return this.#view([known], false);
    }
    const generation = this.#nextGeneration++;
    const spec = { ...registration, ...opened, generation };
    const record = new RegionRecord(spec, registration.ttlMs);
    this.#records.set(generation, record);
    this.#byName.set(record.spec.name, record);
    if (known !== undefined) this.#forgetUnmapped(known);
    const failure = await this.#mapInAll(record);
    if (failure === undefined) return this.#view([record], true);
    this.#unmap(record);
    this.#forget(record);
    return failure;
  }

  async #mapInAll(record: RegionRecord): Promise<Refusal | undefined> {
    const { isServing, mapMs = 5000 } = this.#options;
    for (const device of this.#workers.devices) this.#map(device, record);
    const areDone = () =>
      record.failure !== undefined ||
      this.#workers.devices.every(
        (device) => !isServing(device) || record.stateIn(device) !== 'mapping',
      );
    const inTime = await record.until(areDone, mapMs);
    // A worker may have found it broken, or its owner may have ended, in the meantime.
    if (record.state !== 'registering') {
      return { problem: 'buffer-refused', detail: 'The memory changed while it was mapped.' };
    }
    if (record.failure !== undefined) {
      return { problem: 'buffer-refused', detail: record.failure };
    }
    if (!inTime) return { problem: 'buffer-unavailable', detail: NOT_IN_TIME };
    record.state = 'ready';
    this.#watch.start();
    return undefined;
  }

  #map(device: number, record: RegionRecord): void {
    record.note(device, 'mapping');
    this.#workers.send(device, { type: 'mapRegion', spec: record.spec });
  }

  /** Ends the use of a region by all workers. */
  #unmap(record: RegionRecord): void {
    if (record.state !== 'broken') record.state = 'draining';
    const { generation } = record.spec;
    for (const device of this.#workers.devices) {
      this.#workers.send(device, { type: 'unmapRegion', generation });
    }
    this.#forgetUnmapped(record);
  }

  async #removeAll(records: readonly RegionRecord[]): Promise<RegionReply> {
    for (const record of records) {
      if (record.state === 'broken') this.#forget(record);
      else this.#unmap(record);
    }
    const { unmapMs = 1000 } = this.#options;
    const isSettled = (record: RegionRecord) =>
      this.#workers.devices.every((device) => {
        const state = record.stateIn(device);
        return state === undefined || state === 'draining' || state === 'failed';
      });
    await Promise.all(records.map((record) => record.until(() => isSettled(record), unmapMs)));
    return this.#view(records.filter((record) => this.#byName.get(record.spec.name) === record));
  }

  #changed(device: number, { generation, state, detail }: Extract<FromWorker, { type: 'region' }>) {
    const record = this.#records.get(generation);
    if (record === undefined) return;
    record.note(device, state, detail);
    if (state === 'failed') {
      const { name } = record.spec;
      this.#options.log.warn({ device, buffer: name, detail }, 'worker cannot map a shared buffer');
    }
    if (state === 'broken' && record.state !== 'broken') {
      this.#options.log.warn(
        { buffer: record.spec.name },
        'a client has truncated its shared buffer',
      );
      // A region that is being removed is not listed again.
      if (record.state !== 'draining') record.state = 'broken';
      this.#unmap(record);
    }
    this.#forgetUnmapped(record);
  }

  /** A broken region stays listed until its client removes or replaces it. */
  #forgetUnmapped(record: RegionRecord): void {
    if (record.isMapped || record.state === 'ready' || record.state === 'registering') return;
    const { name, generation, descriptor } = record.spec;
    const isListed = this.#byName.get(name) === record && record.state === 'broken';
    if (this.#records.delete(generation)) closeSync(descriptor);
    if (!isListed) this.#forget(record);
  }

  #forget(record: RegionRecord): void {
    const { name } = record.spec;
    if (this.#byName.get(name) === record) this.#byName.delete(name);
    if (this.#byName.size === 0) this.#watch.stop();
  }

  #removeOrphan(record: RegionRecord, reason: string): void {
    if (record.state === 'ready') {
      const { name: buffer } = record.spec;
      const { pid } = record.owner;
      this.#options.log.info({ buffer, pid }, `unregistered a shared buffer: ${reason}`);
      this.#unmap(record);
    } else if (record.state === 'broken') this.#forget(record);
  }
}

const NOT_IN_TIME = 'A worker has not mapped the memory in time. Nothing is registered. Try again.';

const isVisible =
  (by: RegionClient) =>
  ({ owner }: RegionRecord): boolean =>
    by.isAdmin || mayUse(owner, by);
