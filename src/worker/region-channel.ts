import type { FromWorker, ToWorker } from '../messages/protocol.ts';
import type { RegionReply, RegionRequest, RegionSpec } from '../messages/regions.ts';
import { RpcClient } from '../messages/rpc-client.ts';

/** Maps the memory of clients for a worker, and reports each change. */
export interface RegionTarget {
  map(spec: RegionSpec): Promise<void>;
  unmap(generation: number): Promise<void>;
  counts(): Readonly<Record<string, number>>;
}

type RegionOrder = Extract<
  ToWorker,
  { type: 'mapRegion' | 'unmapRegion' | 'countRegions' | 'regionsReply' }
>;

/** Longer than the supervisor waits for the workers. */
const responseMs = 10_000;

/** The worker's end of the messages about regions. What arrives before the engine is open waits. */
export class RegionChannel {
  readonly #send: (message: FromWorker) => void;
  readonly #asking: RpcClient<RegionReply, RegionRequest>;
  readonly #early: RegionOrder[] = [];
  #target: RegionTarget | undefined;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
    this.#asking = new RpcClient((id, request) => send({ type: 'askRegions', id, request }));
  }

  receive(message: RegionOrder): void {
    if (message.type === 'regionsReply') this.#asking.responded(message.id, message.reply);
    else if (this.#target === undefined) this.#early.push(message);
    else void this.#carryOut(this.#target, message);
  }

  /** Carries out what has arrived. Resolves when the worker has all regions and may be ready. */
  async attach(target: RegionTarget): Promise<void> {
    for (let next = this.#early.shift(); next !== undefined; next = this.#early.shift()) {
      await this.#carryOut(target, next);
    }
    this.#target = target;
  }

  report(
    generation: number,
    state: Extract<FromWorker, { type: 'region' }>['state'],
    detail = '',
  ): void {
    this.#send({ type: 'region', generation, state, detail });
  }

  /** The supervisor's reply; undefined without one in time. */
  ask(request: RegionRequest): Promise<RegionReply | undefined> {
    return this.#asking.call(responseMs, request);
  }

  /** The supervisor has ended. */
  end(): void {
    this.#asking.end();
  }

  async #carryOut(target: RegionTarget, message: RegionOrder): Promise<void> {
    if (message.type === 'mapRegion') await target.map(message.spec);
    else if (message.type === 'unmapRegion') await target.unmap(message.generation);
    else if (message.type === 'countRegions') {
      this.#send({ type: 'regionCounts', id: message.id, counts: target.counts() });
    }
  }
}
