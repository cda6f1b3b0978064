import type { EngineSymbol, NativeFunction } from './abi.ts';
import { MMC_TIMEOUT } from './codes.ts';
import { EngineLoadError } from './errors.ts';
import type { EngineLibrary } from './library.ts';
import { callNative } from './slot-calls.ts';

/**
 * What an engine is asked between its loading and its first slot, one call at a time. Each runs on
 * libuv's pool, the small ones too: any engine but the embedded one may make them wait for a lock or
 * a peer, and for the embedded one a turn of the loop more cannot be measured in a start. Only the
 * loading itself is synchronous: koffi has no other.
 */
export class Opening {
  readonly library: EngineLibrary;
  readonly warn: (text: string) => void;
  #pending: EngineSymbol | undefined;

  constructor(library: EngineLibrary, warn: (text: string) => void) {
    this.library = library;
    this.warn = warn;
  }

  /** Whether a call has not returned yet. */
  get busy(): boolean {
    return this.#pending !== undefined;
  }

  /** Makes a call; resolves with the engine's code. Its arguments must be in memory of our own. */
  call<Arguments extends readonly unknown[]>(
    symbol: EngineSymbol,
    nativeFunction: NativeFunction<Arguments>,
    args: Arguments,
  ): Promise<number> {
    this.#pending = symbol;
    return new Promise((resolve, reject) => {
      const returned = (): void => {
        this.#pending = undefined;
      };
      callNative(
        nativeFunction,
        args,
        (code) => {
          returned();
          resolve(code);
        },
        (error) => {
          returned();
          reject(error);
        },
      );
    });
  }

  /**
   * Waits for calls that were begun. A call cannot be taken back: when the time is over first, they go
   * on, and what comes of them is handed to `undo`.
   *
   * @throws EngineLoadError that names the call which has not returned.
   */
  async within<Result>(
    deadlineMs: number,
    calls: Promise<Result>,
    undo: (result: Result) => Promise<void>,
  ): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(this.#tooLate(deadlineMs));
        calls.then(undo, () => undefined);
      }, deadlineMs);
    });
    try {
      return await Promise.race([calls, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #tooLate(deadlineMs: number): EngineLoadError {
    const problem = `The engine has not returned from ${this.#pending ?? 'its start'} within ${deadlineMs} ms.`;
    const advice = this.library.nonblocking
      ? 'Another process of its pool may be stopped (SIGSTOP, a debugger) while it holds a lock.'
      : [
          'See that the meta service of MMC_LOCAL_CONFIG_PATH and the hosts of the pool answer (one that',
          "hangs, or a firewall that drops packets, looks like this), and read the engine's own log",
          '(--log-level debug). Where a start takes longer, raise --init-deadline-ms (initDeadlineMs).',
        ].join('\n');
    return new EngineLoadError(problem, advice, { code: MMC_TIMEOUT });
  }
}
