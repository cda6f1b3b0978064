import type { Config } from '../config/config.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import { probeListenerDescriptor } from '../node-internals/listener-descriptor.ts';
import { runProbe } from '../node-internals/run-probe.ts';
import {
  type AcceptingWorker,
  type AcceptReport,
  AcceptWindows,
} from './dispatch/accept-windows.ts';
import { type Listeners, openListeners } from './listeners/listeners.ts';
import type { OnConnection } from './listeners/open-server.ts';

export interface AcceptingOptions<Worker> {
  readonly config: Config;
  readonly log: PoolLog;
  readonly workers: readonly Worker[];
  /** Takes a connection that the supervisor has accepted. */
  readonly onConnection: OnConnection;
  /** Takes a connection of a listener of `admin:`. */
  readonly onAdmin: OnConnection;
}

/** The listeners of the gateway, on which the workers accept, or the supervisor. */
export class Accepting<Worker extends AcceptingWorker> {
  readonly #options: AcceptingOptions<Worker>;
  readonly #windows: AcceptWindows<Worker>;
  #listeners: Listeners | undefined;
  #isEnding = false;
  #sharing = Promise.resolve();

  constructor(options: AcceptingOptions<Worker>) {
    this.#options = options;
    this.#windows = new AcceptWindows({
      workers: options.workers,
      setAccepting: (isWanted) => this.#listeners?.setAccepting(isWanted),
      hasWaiting: () => this.#listeners?.hasWaiting() === true,
    });
  }

  /** Undefined until they are open. */
  get listeners(): Listeners | undefined {
    return this.#listeners;
  }

  /** Descriptors of all listeners, for workers to inherit; empty where they cannot. */
  get descriptors(): readonly number[] {
    return this.#listeners?.descriptors ?? [];
  }

  /** @throws ListenError when a listener cannot be opened; no other is open then */
  async open(): Promise<Listeners> {
    const { config, onConnection, onAdmin } = this.#options;
    await runProbe('listener-descriptor', probeListenerDescriptor, config.disableNodeFeatures);
    this.#listeners = await openListeners(config, onConnection, onAdmin);
    return this.#listeners;
  }

  /** Lets workers accept from now on. Call it after the forks, since it loads native code. */
  share(): Promise<void> {
    this.#sharing = this.#share();
    return this.#sharing;
  }

  async #share(): Promise<void> {
    if (this.descriptors.length === 0) return;
    try {
      this.#listeners?.keep(await import('../os/listening-descriptor.ts'));
    } catch (err) {
      this.#options.log.warn(
        { err },
        'workers cannot accept; the supervisor passes connections on',
      );
      return;
    }
    if (!this.#isEnding) this.#windows.open();
  }

  /** Call this when a worker has begun or ceased to serve. */
  update(): void {
    this.#windows.update();
  }

  /** A worker has accepted this number of connections in an epoch. */
  accepted(worker: Worker, report: AcceptReport): void {
    this.#windows.accepted(worker, report);
  }

  /**
   * From now on only the supervisor accepts. Close the listeners after this: until the supervisor can end
   * listening in all processes, workers that are starting would keep a queue from which no process accepts.
   */
  end(): Promise<void> {
    this.#isEnding = true;
    this.#windows.close();
    return this.#sharing;
  }
}
