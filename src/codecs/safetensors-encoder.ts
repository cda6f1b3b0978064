import { ProblemError } from '../errors.ts';
import { SAFETENSORS_TYPE } from '../http/media-type.ts';
import type { ReadPlan } from '../store/batch-read.ts';
import type { LayerCut } from '../store/layers.ts';
import type { ReadEncoder } from './codec.ts';
import { failureTexts, quoted } from './item-text.ts';
import { METADATA } from './safetensors-header.ts';

/** Readers of the format refuse headers that are longer. */
const MOST_HEADER_BYTES = 100_000_000;
/** Where the bytes begin is a multiple of this, as the format's own writers have it. */
const ALIGNMENT = 8;

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

/** Throws `batch-too-large` for too many, and `invalid-body` for keys that can't be the names of tensors in one file. */
export function requireTensorNames(
  keys: readonly string[],
  mostTensors: number,
  cut?: LayerCut,
): void {
  if (keys.length * (cut?.selected.length ?? 1) > mostTensors) {
    throw new ProblemError('batch-too-large', {
      detail: `The safetensors file would have more than ${mostTensors} tensors (--batch-keys): select fewer layers, or ask for fewer objects at a time.`,
    });
  }
  const seen = new Set<string>();
  for (const key of keys) {
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
 * @throws ProblemError `batch-too-large`
 */
export function safetensorsEncoder(
  { keys, sizes, problems }: ReadPlan,
  { cut, nameOf = layerName, mostHeaderBytes = MOST_HEADER_BYTES }: TensorOptions = {},
): ReadEncoder {
  const most = Math.min(MOST_HEADER_BYTES, mostHeaderBytes);
  const failureText = failureTexts();
  const failures = [...problems].sort(([a], [b]) => a - b);
  const texts = failures.map(([index, problem]) => failureText(keys[index] as string, problem));
  const listed = texts.length === 0 ? '' : `"failures":${JSON.stringify(`[${texts.join(',')}]`)},`;
  let header = `{"${METADATA}":{${listed}"failed":"${failures.length}"}`;
  let at = 0;
  const add = (name: string, bytes: number): void => {
    if (header.length > most) throw headerTooLong(most);
    header += `,${quoted(name)}:{"dtype":"U8","shape":[${bytes}],"data_offsets":[${at},${at + bytes}]}`;
    at += bytes;
  };
  for (const [index, key] of keys.entries()) {
    if (problems.has(index)) continue;
    if (cut === undefined) add(key, sizes[index] as number);
    else for (const { number, bytes } of cut.selected) add(nameOf(key, number), bytes);
  }
  header += '}';
  const bytes = Buffer.byteLength(header);
  const padded = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  if (padded > most) throw headerTooLong(most);
  const nothing = (): string => '';
  return {
    contentType: SAFETENSORS_TYPE,
    contentLength: 8 + padded + at,
    openBytes: 8 + padded,
    base64: false,
    open() {
      const start = Buffer.alloc(8 + padded, ' ');
      start.writeBigUInt64LE(BigInt(padded));
      start.write(header, 8);
      header = '';
      return start;
    },
    before: nothing,
    after: nothing,
    failure: nothing,
    close: nothing,
  };
}
