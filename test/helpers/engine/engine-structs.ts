/** Converts values to the engine's structs and back (docs/engine-facts.md §1). */
import { addressOf } from '../../../src/os/libc.ts';

/** A string is sent as UTF-8, a Buffer unchanged, so that a key may be any bytes. */
export type Key = string | Buffer;

/** Bytes, or a number of equal bytes, so that large values need no transfer between processes. */
export type Value = Buffer | { readonly length: number; readonly fill: number };

export interface PutChoices {
  /** `replicaNum`; default 1. */
  readonly replicas?: number;
  readonly prefer?: readonly number[];
  /** `mmc_buffer.type`; default 1, DRAM. */
  readonly medium?: number;
}

export interface Info {
  readonly valid: boolean;
  readonly size: number;
  readonly replicas: readonly { serviceId: number; medium: number }[];
}

/** The value of result arrays, ids and (its low byte) buffers before a call. */
export const unanswered = 0x5a5a5a5a;
export const fillByte = 0x5a;

/** Returns the bytes of a destination to which no engine has written. */
export function untouched(length: number): Buffer {
  return Buffer.alloc(length, fillByte);
}

const bufferBytes = 32;
/** The bytes of one mmc_data_info: 64 up to version 1.1, 128 from 1.2 on. */
export const maxInfoBytes = 128;
const minInfoBytes = 64;

export function encodeConfig(device: number, contribute: boolean): Buffer {
  const config = Buffer.alloc(8);
  config.writeUInt32LE(device, 0);
  config.writeUInt8(contribute ? 1 : 0, 4);
  return config;
}

export function encodeKey(key: Key): Buffer {
  return Buffer.concat([Buffer.from(key as string), Buffer.alloc(1)]);
}

export function encodeKeys(keys: readonly Key[]): { names: Buffer[]; pointers: Buffer } {
  const names = keys.map(encodeKey);
  const pointers = Buffer.alloc(8 * Math.max(keys.length, 1));
  for (const [i, name] of names.entries()) {
    pointers.writeBigUInt64LE(BigInt(addressOf(name)), 8 * i);
  }
  return { names, pointers };
}

export function encodeValue(value: Value): Buffer {
  if (Buffer.isBuffer(value)) return value.length > 0 ? value : Buffer.alloc(1);
  return Buffer.alloc(Math.max(value.length, 1), (value as { fill: number }).fill);
}

export function encodeBuffers(
  bytes: readonly Buffer[],
  lengths: readonly number[],
  medium = 1,
): Buffer {
  const structs = Buffer.alloc(bufferBytes * Math.max(bytes.length, 1));
  for (const [i, item] of bytes.entries()) {
    structs.writeBigUInt64LE(BigInt(addressOf(item)), bufferBytes * i);
    structs.writeUInt32LE(medium, bufferBytes * i + 8);
    structs.writeBigUInt64LE(BigInt(lengths[i] ?? 0), bufferBytes * i + 24);
  }
  return structs;
}

export function encodeOptions({ replicas = 1, prefer = [] }: PutChoices): Uint32Array {
  const words = new Uint32Array(11);
  words[2] = replicas;
  words.fill(0xffffffff, 3);
  for (const [i, id] of prefer.entries()) words[3 + i] = id;
  return words;
}

export function encodeResults(count: number): Buffer {
  return Buffer.alloc(4 * Math.max(count, 1), fillByte);
}

export function decodeResults(results: Buffer, count: number): number[] {
  return Array.from({ length: count }, (_, i) => results.readInt32LE(4 * i));
}

/**
 * Decodes the infos of a call into memory that held `fillByte`, with `maxInfoBytes` for each item. Only
 * items of the larger layout reach beyond the bytes that `count` small ones need. For a single item,
 * the layout does not matter.
 */
export function decodeInfos(infos: Buffer, count: number): Info[] {
  const beyond = infos.subarray(count * minInfoBytes);
  const bytes = beyond.some((byte) => byte !== fillByte) ? maxInfoBytes : minInfoBytes;
  return Array.from({ length: count }, (_, index) => decodeInfo(infos, index * bytes));
}

function decodeInfo(infos: Buffer, at: number): Info {
  const blobs = infos.readUInt8(at + 10);
  return {
    valid: infos.readUInt8(at + 11) === 1,
    size: Number(infos.readBigUInt64LE(at)),
    replicas: Array.from({ length: Math.min(blobs, 8) }, (_, i) => ({
      serviceId: infos.readUInt32LE(at + 12 + 4 * i),
      medium: infos.readUInt16LE(at + 44 + 2 * i),
    })),
  };
}
