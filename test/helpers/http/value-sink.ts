import { keyLimit } from '../../../src/codecs/keys.ts';
import { MultipartDecoder } from '../../../src/codecs/multipart/multipart-decoder.ts';
import { readPartHead } from '../../../src/codecs/multipart/part-head.ts';
import type { ProblemError } from '../../../src/errors/problems.ts';
import type { ValueSink } from '../../../src/store/batch/batch-writer.ts';

/** Records the values that a decoder passes to a sink, so that a test can compare all of them. */
export interface RecordingSink extends ValueSink {
  readonly values: { key: string; bytes: Buffer; announced: number | undefined }[];
}

/** Records values; with `slow` it returns promises. It throws on calls in a wrong order. */
export function recordingSink(slow: () => boolean = () => false): RecordingSink {
  const values: RecordingSink['values'] = [];
  let open: { key: string; announced: number | undefined; chunks: Buffer[] } | undefined;
  let waiting = false;
  const answer = (): void | Promise<void> => {
    if (!slow()) return;
    waiting = true;
    return new Promise((resolve) => {
      setImmediate(() => {
        waiting = false;
        resolve();
      });
    });
  };
  const check = (isOpen: boolean) => {
    if (waiting) throw new Error('called while it asked for time');
    if ((open !== undefined) !== isOpen) throw new Error('called out of order');
  };
  return {
    values,
    begin(key, announced) {
      check(false);
      open = { key, announced, chunks: [] };
      return answer();
    },
    take(chunk) {
      check(true);
      // Copy the chunk: the decoder reuses its memory.
      open?.chunks.push(Buffer.from(chunk));
      return answer();
    },
    finish() {
      check(true);
      if (open === undefined) return;
      const { key, announced, chunks } = open;
      values.push({ key, announced, bytes: Buffer.concat(chunks) });
      open = undefined;
      return answer();
    },
  };
}

/** A decoder of a form whose parts are named by keys, with the boundary `b`. */
export const formDecoder = (sink: ValueSink, most = 10): MultipartDecoder =>
  new MultipartDecoder(sink, 'b', {
    parts: keyLimit(most),
    readHead: readPartHead,
  });

interface Decoder {
  write(chunk: Buffer): void | Promise<void>;
  end(): void | Promise<void>;
  discard(): void;
}

/** Passes a body to a decoder in pieces that end at `cuts`; resolves with the slug of a refusal. */
export async function decode(
  decoder: Decoder,
  body: Buffer,
  cuts: readonly number[],
): Promise<string | undefined> {
  const ends = [...new Set(cuts.filter((cut) => cut < body.length)), body.length];
  let from = 0;
  try {
    for (const end of ends.sort((a, b) => a - b)) {
      if (end > from) await decoder.write(Buffer.from(body.subarray(from, end)));
      from = end;
    }
    await decoder.end();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ProblemError')) throw error;
    return (error as ProblemError).slug;
  } finally {
    decoder.discard();
  }
}
