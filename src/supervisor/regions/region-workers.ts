import type { ToWorker } from '../../messages/protocol.ts';
import { RpcClient } from '../../messages/rpc-client.ts';

type Counts = Readonly<Record<string, number>>;

interface Connected {
  readonly send: (message: ToWorker) => void;
  readonly counting: RpcClient<Counts>;
}

const countMs = 1000;

/** The workers that run, and their transfers in flight. */
export class RegionWorkers {
  readonly #connected = new Map<number, Connected>();

  started(device: number, send: (message: ToWorker) => void): void {
    this.ended(device);
    const counting = new RpcClient<Counts>((id) => send({ type: 'countRegions', id }));
    this.#connected.set(device, { send, counting });
  }

  ended(device: number): void {
    this.#connected.get(device)?.counting.end();
    this.#connected.delete(device);
  }

  get devices(): number[] {
    return [...this.#connected.keys()];
  }

  send(device: number, message: ToWorker): void {
    this.#connected.get(device)?.send(message);
  }

  counted(device: number, id: number, counts: Counts): void {
    this.#connected.get(device)?.counting.responded(id, counts);
  }

  /** Transfers in flight by generation, over all workers that respond in time. */
  async count(): Promise<Map<number, number>> {
    const all = [...this.#connected.values()].map(({ counting }) => counting.call(countMs));
    const sums = new Map<number, number>();
    for (const counts of await Promise.all(all)) {
      for (const [generation, count] of Object.entries(counts ?? {})) {
        sums.set(Number(generation), (sums.get(Number(generation)) ?? 0) + count);
      }
    }
    return sums;
  }
}
