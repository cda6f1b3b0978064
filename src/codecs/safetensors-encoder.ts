import { ProblemError } from '../errors.ts';
import { SAFETENSORS_TYPE } from '../http/media-type.ts';
import type { ReadPlan } from '../store/batch-read.ts';
import type { LayerCut } from '../store/layers.ts';
import type { ReadEncoder } from './codec.ts';
import { failureTexts, quoted } from './item-text.ts';
import { METADATA } from './safetensors-header.ts';
import { TimeSlices } from './time-slices.ts';

/** Readers of the format refuse headers that are longer. */
const MOST_HEADER_BYTES = 100_000_000;
/** Where the bytes begin is a multiple of this, as the format's own writers have it. */
const ALIGNMENT = 8;
/** Characters that are encoded at once. */
const PIECE_LENGTH = 64 * 1024;

export interface TensorOptions {
  readonly cut?: LayerCut | undefined;
  /** The name of a layer; its key, a slash and its number unless told. */
  readonly nameOf?: (key: string, layer: number) => string;
  /** Of the header, besides what readers of the format take. */
  readonly mostHeaderBytes?: number;
}

const layerName = (key: string, layer: number): string => `${key}/${layer}`;

const headerTooLong = (most: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The header of this safetensors file would have more than ${most} bytes (4 x --batch-json-bytes, and what readers take): ask for fewer at a time.`,
    members: { limitBytes: most },
  });

/**
 * Rejects with `batch-too-large` for too many, and with `invalid-body` for keys that can't be the names
 * of tensors in one file.
 */
export async function requireTensorNames(
  keys: readonly string[],
  mostTensors: number,
  cut?: LayerCut,
): Promise<void> {
  if (keys.length * (cut?.selected.length ?? 1) > mostTensors) {
    throw new ProblemError('batch-too-large', {
      detail: `The safetensors file would have more than ${mostTensors} tensors (--batch-keys): select fewer layers, or ask for fewer objects at a time.`,
    });
  }
  const seen = new Set<string>();
  const slices = new TimeSlices();
  for (const key of keys) {
    const wait = slices.pause();
    if (wait !== undefined) await wait;
    if ((key === METADATA && cut === undefined) || seen.has(key)) {
      throw new ProblemError('invalid-body', {
        detail:
          key === METADATA && cut === undefined
            ? `The key ${METADATA} can't be the name of a tensor: ask for it as JSON or multipart.`
            : `keys has ${quoted(key)} twice, and a safetensors file each name once: ask as JSON or multipart.`,
      });
    }
    seen.add(key);
  }
}

/**
 * Each object is a tensor of its bytes, named by its key, in the order asked. What failed stands in
 * `__metadata__`: `failures`, a JSON array of items, and `failed`, their number. Of an object that is
 * cut each layer is a tensor.
 * Rejects with `batch-too-large`.
 */
export async function safetensorsEncoder(
  { keys, sizes, problems }: ReadPlan,
  { cut, nameOf = layerName, mostHeaderBytes = MOST_HEADER_BYTES }: TensorOptions = {},
): Promise<ReadEncoder> {
  const header = new HeaderText(Math.min(MOST_HEADER_BYTES, mostHeaderBytes));
  header.add(`{"${METADATA}":{`);
  const failed = await addFailures(header, keys, problems);
  header.add(`"failed":"${failed}"}`);
  let at = 0;
  const add = (name: string, bytes: number): void => {
    header.add(
      `,${quoted(name)}:{"dtype":"U8","shape":[${bytes}],"data_offsets":[${at},${at + bytes}]}`,
    );
    at += bytes;
  };
  for (const [index, key] of keys.entries()) {
    if (problems.has(index)) continue;
    if (cut === undefined) add(key, sizes[index] as number);
    else for (const { number, bytes } of cut.selected) add(nameOf(key, number), bytes);
    const wait = header.pause();
    if (wait !== undefined) await wait;
  }
  header.add('}');
  const start = header.finish();
  const nothing = (): string => '';
  return {
    contentType: SAFETENSORS_TYPE,
    contentLength: start.bytes + at,
    openBytes: start.bytes,
    base64: false,
    open: () => start.take(),
    before: nothing,
    after: nothing,
    failure: nothing,
    close: nothing,
  };
}

/** The member `failures`, when there are any; resolves to their number. */
async function addFailures(
  header: HeaderText,
  keys: readonly string[],
  problems: ReadPlan['problems'],
): Promise<number> {
  const failureText = failureTexts();
  let failed = 0;
  for (const [index, key] of keys.entries()) {
    const problem = problems.get(index);
    if (problem === undefined) continue;
    // A JSON text within a JSON string, of which each item is escaped by itself.
    const text = JSON.stringify(failureText(key, problem)).slice(1, -1);
    header.add(`${failed === 0 ? '"failures":"[' : ','}${text}`);
    failed += 1;
    const wait = header.pause();
    if (wait !== undefined) await wait;
  }
  if (failed > 0) header.add(']",');
  return failed;
}

/** The text of a header as it is made: in pieces, since a string of megabytes is made at once. */
class HeaderText {
  readonly #maxBytes: number;
  readonly #slices = new TimeSlices();
  #pieces: Buffer[] = [];
  #text = '';
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws ProblemError `batch-too-large` */
  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_LENGTH) this.#cut();
  }

  pause(): Promise<void> | undefined {
    return this.#slices.pause();
  }

  /** What begins the file: the header's length and the header, padded; `take` gives it once. */
  finish(): { bytes: number; take: () => Uint8Array[] } {
    this.add(
      ' '.repeat(
        (ALIGNMENT - ((this.#bytes + Buffer.byteLength(this.#text)) % ALIGNMENT)) % ALIGNMENT,
      ),
    );
    this.#cut();
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(this.#bytes));
    const take = (): Uint8Array[] => {
      const pieces = [length, ...this.#pieces];
      this.#pieces = [];
      return pieces;
    };
    return { bytes: 8 + this.#bytes, take };
  }

  #cut(): void {
    const piece = Buffer.from(this.#text);
    this.#text = '';
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes) throw headerTooLong(this.#maxBytes);
    this.#pieces.push(piece);
  }
}
