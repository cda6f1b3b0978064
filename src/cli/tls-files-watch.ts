/** The certificates of a running gateway, read again when they change, and the keys of its session tickets. */
import type { PoolLog } from '../log/waiting-log.ts';
import type { TlsFilesNumbers } from '../supervisor/supervisor-options.ts';
import { newTicketKeys, type TlsMaterial } from '../tls/material.ts';
import { readTlsFiles, type SoundTlsFiles, type TlsPaths } from '../tls/tls-files.ts';
import { FileWatch } from './file-watch.ts';

export interface TlsFilesWatchOptions {
  readonly paths: TlsPaths;
  /** The files as they are at the start. */
  readonly files: SoundTlsFiles;
  readonly apply: (material: TlsMaterial) => void;
  readonly log: PoolLog;
  readonly pollMs?: number;
  readonly settledMs?: number;
  /** How long one key encrypts session tickets. */
  readonly ticketKeyMs?: number;
}

const DAY_MS = 24 * 3600 * 1000;

export class TlsFilesWatch {
  readonly #watch: FileWatch<SoundTlsFiles>;
  readonly #apply: (material: TlsMaterial) => void;
  readonly #timer: NodeJS.Timeout;
  #keys = newTicketKeys();
  #clientCa: string | null;

  constructor({ paths, files, apply, ticketKeyMs = DAY_MS, ...others }: TlsFilesWatchOptions) {
    this.#apply = apply;
    this.#clientCa = files.texts.clientCa;
    this.#watch = new FileWatch({
      ...others,
      files: [paths.cert, paths.key, ...(paths.clientCa === undefined ? [] : [paths.clientCa])],
      content: files,
      async read() {
        const reading = await readTlsFiles(paths);
        return 'faults' in reading ? reading : { content: reading };
      },
      apply: (content) => this.#change(content),
      name: 'the files of TLS',
      kept: 'the certificate, the key and the client CA that it has',
      isPlural: true,
      facts: ({ expiresMs, warnings }) => ({
        expires: new Date(expiresMs).toISOString(),
        ...(warnings.length > 0 ? { warnings } : {}),
      }),
    });
    this.#timer = setInterval(() => this.#rotate(), ticketKeyMs).unref();
  }

  /** What all processes of the gateway use now. */
  get material(): TlsMaterial {
    return { ...this.#watch.content.texts, ...this.#keys };
  }

  get numbers(): TlsFilesNumbers {
    return { ...this.#watch.numbers, expiresMs: this.#watch.content.expiresMs };
  }

  /** As `FileWatch.reread`. */
  reread(): Promise<void> {
    return this.#watch.reread();
  }

  end(): void {
    this.#watch.end();
    clearInterval(this.#timer);
  }

  #rotate(): void {
    this.#keys = newTicketKeys();
    this.#apply(this.material);
  }

  /** A resumed session keeps the verdict on its client certificate, so a change of the client CA ends all sessions. */
  #change({ texts }: SoundTlsFiles): void {
    if (texts.clientCa !== this.#clientCa) this.#keys = newTicketKeys();
    this.#clientCa = texts.clientCa;
    this.#apply(this.material);
  }
}
