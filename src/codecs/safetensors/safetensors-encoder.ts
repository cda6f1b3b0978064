import { ProblemError } from '../../errors/problems.ts';
import { SAFETENSORS_TYPE } from '../../http/request/media-type.ts';
import type { LayerCut } from '../../store/layers/layers.ts';
import type { ReadPlan } from '../../store/read-objects.ts';
import type { ReadEncoder } from '../codec.ts';
import { failureTexts, quoted } from '../item-text.ts';
import { TimeSlices } from '../time-slices.ts';
import { METADATA } from './safetensors-header.ts';

/** Readers of the format refuse longer headers. */
const MAX_HEADER_BYTES = 100_000_000;
/** The offset of the bytes is a multiple of this, as in other writers of the format. */
const ALIGNMENT = 8;
/** Characters that are encoded at once. */
const PIECE_LENGTH = 64 * 1024;

export interface TensorOptions {
  readonly cut?: LayerCut | undefined;
  /** The name of a layer; by default its key, a slash and its number. */
  readonly nameOf?: (key: string, layer: number) => string;
  /** Limit of the header, in addition to that of the format. */
  readonly maxHeaderBytes?: number;
}

const layerName = (key: string, layer: number): string => `${key}/${layer}`;

const headerTooLong = (most: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The header of this safetensors file would have more than ${most} bytes (4 x --batch-json-bytes, or the limit of the format): request fewer objects or layers at a time.`,
    members: { limitBytes: most },
  });

/**
 * Rejects with `batch-too-large` for too many tensors, and with `invalid-body` for keys that cannot be
 * names of tensors in one file.
 */
export async function requireTensorNames(
  keys: readonly string[],
  maxTensors: number,
  cut?: LayerCut,
): Promise<void> {
  if (keys.length * (cut?.selected.length ?? 1) > maxTensors) {
    throw new ProblemError('batch-too-large', {
      detail: `The safetensors file would have more than ${maxTensors} tensors (--batch-keys): select fewer layers, or request fewer objects at a time.`,
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
            ? `The key ${METADATA} cannot be the name of a tensor: request it as JSON or multipart.`
            : `keys has ${quoted(key)} twice, but the names in a safetensors file are unique: request JSON or multipart.`,
      });
    }
    seen.add(key);
  }
}

/**
 * Each object is a tensor of its bytes with its key as the name, in the order of the request. For failed
 * items, `__metadata__` has `failures`, a JSON array of items, and `failed`, their number. Each layer of
 * an object that is cut is a tensor. Rejects with `batch-too-large`.
 */
export async function safetensorsEncoder(
  { keys, sizes, problems }: ReadPlan,
  { cut, nameOf = layerName, maxHeaderBytes = MAX_HEADER_BYTES }: TensorOptions = {},
): Promise<ReadEncoder> {
  const header = new HeaderText(Math.min(MAX_HEADER_BYTES, maxHeaderBytes));
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
    fileExtension: '.safetensors',
    openBytes: start.bytes,
    base64: false,
    open: () => start.take(),
    before: nothing,
    after: nothing,
    failure: nothing,
    close: nothing,
  };
}

/** The member `failures`, if there are any; resolves with their number. */
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
    // A JSON text inside a JSON string; each item is escaped separately.
    const text = JSON.stringify(failureText(key, problem)).slice(1, -1);
    header.add(`${failed === 0 ? '"failures":"[' : ','}${text}`);
    failed += 1;
    const wait = header.pause();
    if (wait !== undefined) await wait;
  }
  if (failed > 0) header.add(']",');
  return failed;
}

/** The text of a header while it is created, in pieces: one string of megabytes would block for too long. */
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

  /** The start of the file: the length of the header and the padded header. `take` returns it once. */
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
