/** The token file of a running gateway, read again when it changes. */
import { stat } from 'node:fs/promises';
import type { PoolLog } from '../log/waiting-log.ts';
import type { TokenFileNumbers } from '../supervisor/supervisor-options.ts';
import { readTokenFile, type TokenFileReading } from '../tokens/read-token-file.ts';
import type { TokenEntry } from '../tokens/token.ts';

/**
 * The status is polled: that also notices a file that is replaced by rename, and a directory of Kubernetes
 * whose symbolic link is replaced, which events of one file do not report. Half of the promised 2 seconds.
 */
const POLL_MS = 1000;
/** The clock of the file system ticks every few milliseconds, so a status that is younger may hide a change. */
const SETTLED_MS = 2000;

export interface TokenFileWatchOptions {
  readonly file: string;
  /** The tokens that the gateway has started with. */
  readonly tokens: readonly TokenEntry[];
  readonly apply: (tokens: readonly TokenEntry[]) => void;
  readonly log: PoolLog;
  readonly pollMs?: number;
  readonly settledMs?: number;
  readonly read?: typeof readTokenFile;
}

export class TokenFileWatch {
  readonly #options: TokenFileWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** The text of the tokens in use, to recognize a change. */
  #inUse: string;
  /** The status of the file that was read; undefined where it must be read again. */
  #seen: string | undefined;
  /** The fault that was logged last. */
  #logged: string | undefined;
  #reading: Promise<void> | undefined;
  #isAsked = false;
  #failures = 0;
  #tokens: number;
  #readMs = Date.now();

  constructor(options: TokenFileWatchOptions) {
    this.#options = options;
    this.#tokens = options.tokens.length;
    this.#inUse = JSON.stringify(options.tokens);
    this.#timer = setInterval(() => void this.#poll(), options.pollMs ?? POLL_MS).unref();
  }

  get numbers(): TokenFileNumbers {
    return {
      isCurrent: this.#logged === undefined,
      tokens: this.#tokens,
      failures: this.#failures,
      readMs: this.#readMs,
    };
  }

  /** Reads the file whether it has changed or not, and logs the result; for SIGHUP. A call during a reading starts another one after it. */
  async reread(): Promise<void> {
    this.#isAsked = true;
    await this.#reading;
    await this.#poll();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #poll(): Promise<void> {
    this.#reading ??= this.#readIfChanged().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readIfChanged(): Promise<void> {
    const { file, read: readFile = readTokenFile, settledMs = SETTLED_MS } = this.#options;
    const status = await statusOf(file);
    const isAsked = this.#isAsked;
    if (!isAsked && status.text === this.#seen) return;
    this.#isAsked = false;
    const read = await readFile(file);
    const isSettled = Date.now() - status.changedMs > settledMs;
    const isUnread = 'faults' in read && read.isUnread === true;
    this.#seen = isSettled && !isUnread ? status.text : undefined;
    if ('tokens' in read) this.#use(read.tokens, isAsked);
    else this.#keepOld(read, isAsked);
  }

  #use(tokens: readonly TokenEntry[], isAsked: boolean): void {
    const text = JSON.stringify(tokens);
    const isChanged = text !== this.#inUse;
    const isMended = this.#logged !== undefined;
    this.#logged = undefined;
    this.#readMs = Date.now();
    if (!isChanged && !isMended && !isAsked) return;
    const { file, log, apply } = this.#options;
    const facts = { file, tokens: tokens.length, isChanged };
    if (isChanged) {
      this.#inUse = text;
      this.#tokens = tokens.length;
      apply(tokens);
    }
    log.info(facts, 'the token file was read again');
  }

  /** Each fault is logged once, although the file is read again and again. */
  #keepOld({ faults }: Extract<TokenFileReading, { faults: unknown }>, isAsked: boolean): void {
    const text = faults.join('\n');
    if (text === this.#logged && !isAsked) return;
    this.#logged = text;
    this.#failures += 1;
    const { log } = this.#options;
    log.error(
      { faults, tokens: this.#tokens },
      'the token file has faults; the gateway keeps the tokens that it has',
    );
  }
}

/** A text that differs when the file does. A file that cannot be found has a text too. */
async function statusOf(file: string): Promise<{ text: string; changedMs: number }> {
  try {
    const { dev, ino, size, mode, uid, ctimeNs, mtimeNs } = await stat(file, { bigint: true });
    const text = [dev, ino, size, mode, uid, ctimeNs, mtimeNs].join(' ');
    return { text, changedMs: Number(ctimeNs / 1_000_000n) };
  } catch (error) {
    return { text: String((error as NodeJS.ErrnoException).code), changedMs: 0 };
  }
}
