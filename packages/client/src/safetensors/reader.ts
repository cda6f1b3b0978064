import { type ByteSource, brokenOff, byteSource } from './byte-source.ts';

export interface Tensor {
  readonly name: string;
  readonly bytes: number;
}

type Metadata = Readonly<Record<string, string>>;

/** A safetensors file whose header has been read. Read it to its `end`, or cancel it. */
export interface SafetensorsFile {
  /** In the order of their bytes, without a gap. */
  readonly tensors: readonly Tensor[];
  readonly metadata: Metadata;
  /** The bytes of the next tensor. Rejects with TypeError if the response breaks off. */
  next(): Promise<Uint8Array>;
  /** The rest of the response as a stream; it fails where the response breaks off. */
  rest(): ReadableStream<Uint8Array>;
  /** Rejects with SyntaxError if there are bytes after the last tensor. */
  end(): Promise<void>;
  readonly cancel: ByteSource['cancel'];
}

/** The only name in a header that is not a tensor. */
export const METADATA = '__metadata__';
/** No writer of the format makes a longer header. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the header of a safetensors response. Rejects with TypeError if the response breaks off, with
 * SyntaxError if it is not such a file.
 */
export async function openSafetensors(
  body: ReadableStream<Uint8Array> | null,
): Promise<SafetensorsFile> {
  const source = byteSource(body);
  try {
    const length = await source.take(8);
    const headerBytes = new DataView(length.buffer).getBigUint64(0, true);
    if (headerBytes > MAX_HEADER_BYTES) throw fault(`a header of ${headerBytes} bytes`);
    const header = await source.take(Number(headerBytes));
    return fileOf(source, new TextDecoder().decode(header));
  } catch (error) {
    await source.cancel(error);
    throw error;
  }
}

type Entries = Readonly<Record<string, { readonly data_offsets: readonly [number, number] }>>;

function fileOf(source: ByteSource, header: string): SafetensorsFile {
  const { [METADATA]: metadata = {}, ...entries } = JSON.parse(header) as {
    [METADATA]?: Metadata;
  };
  const tensors = tensorsOf(entries);
  let read = 0;

  async function end(): Promise<void> {
    if ((await source.some(1)) !== undefined) throw fault('bytes after its last tensor');
  }

  function rest(): ReadableStream<Uint8Array> {
    let left = tensors.slice(read).reduce((sum, { bytes }) => sum + bytes, 0);
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = left === 0 ? undefined : await source.some(left);
        if (piece !== undefined) controller.enqueue(piece);
        left -= piece?.length ?? 0;
        if (left > 0 && piece === undefined) throw brokenOff(left);
        if (left > 0) return;
        await end();
        controller.close();
      },
      cancel: source.cancel,
    });
  }

  return {
    tensors,
    metadata,
    async next() {
      const tensor = tensors[read++];
      if (tensor === undefined) throw fault('no further tensor');
      return source.take(tensor.bytes);
    },
    rest,
    end,
    cancel: source.cancel,
  };
}

/** JSON puts names that are numbers first, so the tensors are sorted by their bytes. */
function tensorsOf(entries: Entries): Tensor[] {
  const places = Object.entries(entries)
    .map(([name, { data_offsets: offsets }]) => ({ name, start: offsets[0], end: offsets[1] }))
    .sort((a, b) => a.start - b.start || a.end - b.end);
  let at = 0;
  return places.map(({ name, start, end }) => {
    // Not "less than", so that a value that is not a number is refused too.
    if (start !== at || !(end >= start)) throw fault(`${name} at ${start} to ${end}, not at ${at}`);
    at = end;
    return { name, bytes: end - start };
  });
}

const fault = (has: string): SyntaxError =>
  new SyntaxError(`the response is not a safetensors file: it has ${has}`);
