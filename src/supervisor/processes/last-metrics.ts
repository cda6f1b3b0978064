import type { MetricJson } from '../../messages/protocol.ts';
import { RpcClient } from '../../messages/rpc-client.ts';

/** The metrics that one worker process has sent last. */
export class LastMetrics {
  readonly #calls: RpcClient<MetricJson[]>;
  #last: MetricJson[] | undefined;

  /** `send` requests the metrics of the worker, with this id. */
  constructor(send: (id: number) => void) {
    this.#calls = new RpcClient(send);
  }

  get last(): MetricJson[] | undefined {
    return this.#last;
  }

  /** True when the worker has sent its metrics, false without a response within `deadlineMs`. */
  async collect(deadlineMs: number): Promise<boolean> {
    return (await this.#calls.call(deadlineMs)) !== undefined;
  }

  /** The worker has sent its metrics, perhaps after the deadline. */
  collected(id: number, metrics: MetricJson[]): void {
    this.#last = metrics;
    this.#calls.responded(id, metrics);
  }

  /** The worker has ended: requests for its metrics end. Returns the last metrics that it sent. */
  end(): MetricJson[] | undefined {
    const last = this.#last;
    this.#last = undefined;
    this.#calls.end();
    return last;
  }
}
