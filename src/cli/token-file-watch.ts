/** The token file of a running gateway, read again when it changes. */
import type { PoolLog } from '../log/waiting-log.ts';
import type { TokenFileNumbers } from '../supervisor/supervisor-options.ts';
import { readTokenFile } from '../tokens/read-token-file.ts';
import type { TokenEntry } from '../tokens/token.ts';
import { FileWatch } from './file-watch.ts';

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
  readonly #watch: FileWatch<readonly TokenEntry[]>;

  constructor({ file, tokens, read = readTokenFile, ...others }: TokenFileWatchOptions) {
    this.#watch = new FileWatch<readonly TokenEntry[]>({
      ...others,
      files: [file],
      content: tokens,
      async read() {
        const reading = await read(file);
        return 'tokens' in reading ? { content: reading.tokens } : reading;
      },
      name: 'the token file',
      kept: 'the tokens that it has',
      facts: ({ length }) => ({ tokens: length }),
    });
  }

  get numbers(): TokenFileNumbers {
    return { ...this.#watch.numbers, tokens: this.#watch.content.length };
  }

  /** As `FileWatch.reread`. */
  reread(): Promise<void> {
    return this.#watch.reread();
  }

  end(): void {
    this.#watch.end();
  }
}
