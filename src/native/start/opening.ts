import { MMC_TIMEOUT } from '../../errors/engine-codes.ts';
import type { EngineSymbol, NativeFunction } from '../abi/abi.ts';
import { EngineLoadError } from '../abi/errors.ts';
import { callNative } from '../calls/call-native.ts';
import type { EngineLibrary } from './library.ts';

/**
 * The engine calls between loading and the first request, one at a time. Each runs on libuv's pool,
 * because any engine but the embedded one may wait for a lock or a peer in it. Only the loading is
 * synchronous: koffi has no other way.
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

  /** Makes a call; resolves with the engine's code. Its arguments must be in mapped memory. */
  async call<Arguments extends readonly unknown[]>(
    symbol: EngineSymbol,
    nativeFunction: NativeFunction<Arguments>,
    args: Arguments,
  ): Promise<number> {
    this.#pending = symbol;
    try {
      return await callNative(nativeFunction, args);
    } finally {
      this.#pending = undefined;
    }
  }

  /**
   * Waits for calls that have begun. A call cannot be cancelled. If the time is over first, the calls
   * continue, and `undo` gets their result.
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
          'Check that the meta service of MMC_LOCAL_CONFIG_PATH and the hosts of the pool respond (a process',
          "that hangs, or a firewall that drops packets, has this effect), and read the engine's own log",
          '(--log-level debug). If a start takes longer, increase --init-deadline-ms (initDeadlineMs).',
        ].join('\n');
    return new EngineLoadError(problem, advice, { errno: MMC_TIMEOUT });
  }
}
