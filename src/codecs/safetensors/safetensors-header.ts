import { printable } from '../../http/request/query.ts';
import { quoted } from '../item-text.ts';
import { JsonReader } from '../json/json-reader.ts';
import { type ItemLimit, requireKey } from '../keys.ts';
import { sortedInSlices } from '../sort.ts';
import { afterwards, TimeSlices } from '../time-slices.ts';

/** The only name in a header that is not a tensor. */
export const METADATA = '__metadata__';

/** The bytes of a tensor, from `start` to before `end` after the header. */
export interface Tensor {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Bits of an element. The format grows: for an unknown type only the offsets are checked. */
const BITS: Readonly<Record<string, number>> = {
  ...{ BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8 },
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
  ...{ I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32 },
  ...{ I64: 64, U64: 64, F64: 64, C64: 64 },
};
const MAX_DIMENSIONS = 64;

/**
 * Reads the header of a safetensors file: its tensors in the order of their bytes. It accepts all valid
 * files, with any types, any order, and gaps between tensors.
 * @throws ProblemError `invalid-body`, `invalid-key`, or the error of the limit
 */
export async function readHeader(
  text: Buffer,
  limit: ItemLimit,
  slices = new TimeSlices(),
): Promise<Tensor[]> {
  const reader = await JsonReader.open(text, 'The safetensors header', slices);
  const names = new Set<string>();
  const tensors: Tensor[] = [];
  await reader.object((name) => {
    if (names.has(name)) throw reader.fault(`has the name ${shown(name)} twice`);
    names.add(name);
    if (name === METADATA) {
      return readMetadata(reader);
    }
    if (tensors.length >= limit.most) throw limit.exceeded();
    requireKey(name, () => `The tensor name ${shown(name)}`);
    limit.count?.(name);
    return afterwards(readTensor(reader, name), (tensor) => {
      tensors.push(tensor);
    });
  });
  await reader.end();
  const sorted = await sortedInSlices(tensors, byPlace, slices);
  for (let i = 1; i < sorted.length; i++) {
    const wait = i % 4096 === 0 ? slices.pause() : undefined;
    if (wait !== undefined) await wait;
    const before = sorted[i - 1] as Tensor;
    const tensor = sorted[i] as Tensor;
    if (tensor.start < before.end) {
      throw reader.fault(
        `has overlapping tensors: ${shown(before.name)} ends at ${before.end}, ${shown(tensor.name)} starts at ${tensor.start}`,
      );
    }
  }
  return sorted;
}

const byPlace = (a: Tensor, b: Tensor): number => a.start - b.start || a.end - b.end;

/** A map of strings that are not needed. */
const readMetadata = (reader: JsonReader): void | Promise<void> =>
  reader.object(() => reader.skipString('a string, as all values in __metadata__ are'));

function readTensor(reader: JsonReader, name: string): Tensor | Promise<Tensor> {
  const found: TensorMembers = {};
  const read = reader.object((member) => {
    if (member !== 'dtype' && member !== 'shape' && member !== 'data_offsets') {
      throw reader.fault(`has the unknown member "${printable(member)}" in ${shown(name)}`);
    }
    if (found[member] !== undefined) throw reader.fault(`has ${member} twice in ${shown(name)}`);
    if (member === 'dtype') {
      found.dtype = reader.string();
      return;
    }
    return afterwards(readNumbers(reader, member === 'shape' ? MAX_DIMENSIONS : 2), (numbers) => {
      found[member] = numbers;
    });
  });
  return afterwards(read, () => tensorOf(reader, name, found));
}

interface TensorMembers {
  dtype?: string;
  shape?: number[];
  data_offsets?: number[];
}

function tensorOf(reader: JsonReader, name: string, found: TensorMembers): Tensor {
  const { dtype, shape, data_offsets: offsets } = found;
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    throw reader.fault(`needs dtype, shape and data_offsets in ${shown(name)}`);
  }
  const [start, end] = offsets;
  if (start === undefined || end === undefined || end < start) {
    throw reader.fault(`has data_offsets [${offsets.join(',')}] in ${shown(name)}`);
  }
  requireSize(reader, name, dtype, shape, end - start);
  return { name, start, end };
}

function readNumbers(reader: JsonReader, most: number): number[] | Promise<number[]> {
  const numbers: number[] = [];
  const read = reader.array((index) => {
    if (index >= most) throw reader.fault(`has more than ${most} numbers in an array`);
    const number = reader.integer();
    if (number < 0) throw reader.fault(`has the negative number ${number}`);
    numbers.push(number);
  });
  return afterwards(read, () => numbers);
}

function requireSize(
  reader: JsonReader,
  name: string,
  dtype: string,
  shape: readonly number[],
  bytes: number,
): void {
  const bits = Object.hasOwn(BITS, dtype) ? BITS[dtype] : undefined;
  if (bits === undefined) return;
  const wanted = shape.reduce((product, length) => product * length, bits) / 8;
  if (wanted === bytes) return;
  throw reader.fault(
    `gives ${shown(name)} ${bytes} bytes, but ${printable(dtype)} of shape [${shape.join(',')}] takes ${wanted}`,
  );
}

/** A name in a message. */
const shown = (name: string): string => quoted(printable(name));
