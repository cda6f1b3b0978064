import type { ProblemError } from '../../errors/problems.ts';

/** Where the bytes of a body go. The receiver calls either `end` or `discard`, once. */
interface Sink {
  /** The body is complete and matches its digest. From here the sink releases its memory by itself. */
  end(): void | Promise<void>;
  /** The rest of the body will not arrive: the sink releases its memory. */
  discard(): void;
  /** Whether the sink holds memory in the arena that larger requests may wait for. */
  readonly holdsRoom: boolean;
  /** Whether an empty body fails with `empty-object`. */
  readonly refusesEmpty?: boolean;
}

/** A sink of as much memory as the body has bytes. */
export interface MemorySink extends Sink {
  readonly memory: Uint8Array;
}

/** A sink that takes a body piece by piece. */
export interface ChunkSink extends Sink {
  readonly memory?: undefined;
  /** Takes a chunk, or throws to refuse the body. The next chunk follows when the promise resolves. */
  write(chunk: Buffer): void | Promise<void>;
}

/** The most bytes that a body may have, and the problem with a longer one. */
export interface BodyLimit {
  readonly most: number;
  readonly exceeded: () => ProblemError;
}

export type BodySink = MemorySink | ChunkSink;
