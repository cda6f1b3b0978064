/** Files of a running gateway that belong together, read again when one of them changes. */
import { stat } from 'node:fs/promises';
import type { FileFaults } from '../files/read-file.ts';
import type { PoolLog } from '../log/waiting-log.ts';

/**
 * The status is polled: that also notices a file that is replaced by rename, and a directory of Kubernetes
 * whose symbolic link is replaced, which events of one file do not report. Half of the promised 2 seconds.
 */
const POLL_MS = 1000;
/** The clock of the file system ticks every few milliseconds, so a status that is younger may hide a change. */
const SETTLED_MS = 2000;

export interface FileWatchOptions<Content> {
  readonly files: readonly string[];
  /** The content with which the gateway has started. */
  readonly content: Content;
  readonly read: () => Promise<{ readonly content: Content } | FileFaults>;
  /** Called with a content that differs from the one in use. */
  readonly apply: (content: Content) => void;
  /** What the log says of them: `the token file`. */
  readonly name: string;
  /** What the gateway keeps while they have faults: `the tokens that it has`. */
  readonly kept: string;
  /** Whether the name is a plural. */
  readonly isPlural?: boolean;
  /** Facts of a content, for the log; never a secret. */
  readonly facts: (content: Content) => object;
  readonly log: PoolLog;
  readonly pollMs?: number;
  readonly settledMs?: number;
}

/** The state of watched files, for /metrics. */
export interface FileWatchNumbers {
  /** Whether the gateway uses the content that the files have now. */
  readonly isCurrent: boolean;
  /** Readings that found a new fault. */
  readonly failures: number;
  /** When they were last read without faults, in milliseconds since 1970. */
  readonly readMs: number;
}

export class FileWatch<Content> {
  readonly #options: FileWatchOptions<Content>;
  readonly #timer: NodeJS.Timeout;
  #inUse: Content;
  /** The text of the content in use, to recognize a change. */
  #text: string;
  /** The status of the files that were read; undefined where they must be read again. */
  #seen: string | undefined;
  /** The fault that was logged last. */
  #logged: string | undefined;
  #reading: Promise<void> | undefined;
  #isAsked = false;
  #failures = 0;
  #readMs = Date.now();

  constructor(options: FileWatchOptions<Content>) {
    this.#options = options;
    this.#inUse = options.content;
    this.#text = JSON.stringify(options.content);
    this.#timer = setInterval(() => void this.#poll(), options.pollMs ?? POLL_MS).unref();
  }

  get content(): Content {
    return this.#inUse;
  }

  get numbers(): FileWatchNumbers {
    return {
      isCurrent: this.#logged === undefined,
      failures: this.#failures,
      readMs: this.#readMs,
    };
  }

  /** Reads the files whether they have changed or not, and logs the result; for SIGHUP. A call during a reading starts another one after it. */
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
    const { files, read: readFiles, settledMs = SETTLED_MS } = this.#options;
    const statuses = await Promise.all(files.map(statusOf));
    const text = statuses.map((status) => status.text).join('\n');
    const changedMs = Math.max(...statuses.map((status) => status.changedMs));
    const isAsked = this.#isAsked;
    if (!isAsked && text === this.#seen) return;
    this.#isAsked = false;
    const read = await readFiles();
    const isSettled = Date.now() - changedMs > settledMs;
    const isUnread = 'faults' in read && read.isUnread === true;
    this.#seen = isSettled && !isUnread ? text : undefined;
    if ('content' in read) this.#use(read.content, isAsked);
    else this.#keepOld(read, isAsked);
  }

  #use(content: Content, isAsked: boolean): void {
    const text = JSON.stringify(content);
    const isChanged = text !== this.#text;
    const isMended = this.#logged !== undefined;
    this.#logged = undefined;
    this.#readMs = Date.now();
    if (!isChanged && !isMended && !isAsked) return;
    const { log, apply, name, isPlural = false } = this.#options;
    if (isChanged) {
      this.#text = text;
      this.#inUse = content;
      apply(content);
    }
    log.info({ ...this.#facts(), isChanged }, `${name} ${isPlural ? 'were' : 'was'} read again`);
  }

  /** Each fault is logged once, although the files are read again and again. */
  #keepOld({ faults }: FileFaults, isAsked: boolean): void {
    const text = faults.join('\n');
    if (text === this.#logged && !isAsked) return;
    this.#logged = text;
    this.#failures += 1;
    const { log, name, kept, isPlural = false } = this.#options;
    log.error(
      { faults, ...this.#options.facts(this.#inUse) },
      `${name} ${isPlural ? 'have' : 'has'} faults; the gateway keeps ${kept}`,
    );
  }

  #facts(): object {
    const { files, facts } = this.#options;
    const named = files.length === 1 ? { file: files[0] } : { files };
    return { ...named, ...facts(this.#inUse) };
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
