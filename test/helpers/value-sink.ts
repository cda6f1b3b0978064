import { keyLimit } from '../../src/codecs/keys.ts';
import { MultipartDecoder } from '../../src/codecs/multipart-decoder.ts';
import { readPartHead } from '../../src/codecs/part-head.ts';
import type { ProblemError } from '../../src/errors.ts';
import type { ValueSink } from '../../src/store/batch-writer.ts';

/** What a decoder gives to a sink, as text, so that a whole reception can be compared. */
export interface RecordingSink extends ValueSink {
  readonly values: { key: string; bytes: Buffer; announced: number | undefined }[];
}

/** Notes values; with `slow` it asks for time before it takes more. Breaking the order of calls throws. */
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
      // A copy: the chunk is the decoder's again.
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

/** A decoder of a form whose parts are named by keys, `b` between them. */
export const formDecoder = (sink: ValueSink, most = 10): MultipartDecoder =>
  new MultipartDecoder(sink, 'b', {
    parts: keyLimit(most),
    readHead: readPartHead,
  });

interface Decoder {
  write(chunk: Buffer): void | Promise<void>;
  end(): void | Promise<void>;
  destroy(): void;
}

/** Gives a body to a decoder in pieces that end at `cuts`; resolves with the slug of its refusal. */
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
    decoder.destroy();
  }
}
