import type { Address } from '../../os/libc.ts';
import type { PutOptionsValue } from '../abi/abi.ts';
import { MAX_BATCH_KEYS, MAX_REPLICAS } from '../abi/limits.ts';
import type { DataInfo, Medium, PutOptions, Replica } from '../abi/types.ts';
import type { MappedRegion } from '../arena/memory.ts';
import type { NativeBlock } from '../arena/native-block.ts';
import { encodeKey, MAX_ENCODED_KEY_BYTES } from './key-bytes.ts';

/** One more than the engine takes in one call, so that a test reaches the engine's own refusal. */
const CAPACITY = MAX_BATCH_KEYS + 1;

const BUFFER_BYTES = 32;
/** Bytes of one mmc_data_info: 64 from version 1.0.1 to 1.1, 128 from 1.2 on. */
export type InfoBytes = 64 | 128;
export const INFO_LAYOUTS: readonly InfoBytes[] = [64, 128];
const MAX_INFO_BYTES = 128;
const MEDIUM_DRAM = 1;
const media: readonly (Medium | undefined)[] = ['HBM', 'DRAM', 'SSD'];

/** The engine writes 0 or 1 to `valid`; this value shows that it has written nothing. */
const UNWRITTEN = 0xee;
/** The info of a missing key. */
export const noInfo = (): DataInfo => ({ valid: false, size: 0, replicas: [] });

/** No engine returns this code: an item that still has it was not processed. */
export const UNANSWERED = 0x7eadbeef;

/** Offsets of the arguments in the memory of a call, in bytes; all are multiples of 8. */
const OPTIONS = 0;
const POINTERS = 64;
/** Buffers or infos: a call has one of them. There is space for infos of the largest layout. */
const STRUCTS = POINTERS + CAPACITY * 8;
const RESULTS = STRUCTS + CAPACITY * MAX_INFO_BYTES;
const KEYS = RESULTS + CAPACITY * 8;
/** Virtual memory; physical pages are allocated when a batch uses them. */
export const ARGUMENT_BYTES = KEYS + CAPACITY * (MAX_ENCODED_KEY_BYTES + 1);

/**
 * Memory for the arguments of one call, in the layout of the engine's structs (docs/engine-facts.md
 * §1). It is mapped and not on the JavaScript heap, so the garbage collector cannot release it during
 * an asynchronous call. One call at a time uses it. A call for a single key uses item 0.
 */
export class CallArguments {
  readonly keys: Address;
  readonly pointers: Address;
  readonly structs: Address;
  readonly results: Address;
  readonly options: Address;
  /** The same options for a call that takes them by value; koffi copies them when the call is made. */
  readonly optionsValue: PutOptionsValue;
  /**
   * Distance between the infos of a batch. Set once, before requests are served (info-layout.ts). With a
   * wrong distance, every info but the first is read from the bytes of another.
   */
  infoBytes: InfoBytes = MAX_INFO_BYTES;
  readonly #base: number;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #codes: Int32Array;
  #lastKey = '';

  /** @param offset of the memory to use, a multiple of 8; ARGUMENT_BYTES are used. */
  constructor(memory: MappedRegion, offset: number) {
    const at = (part: number): Address => (memory.address + offset + part) as Address;
    this.#base = at(0);
    this.keys = at(KEYS);
    this.pointers = at(POINTERS);
    this.structs = at(STRUCTS);
    this.results = at(RESULTS);
    this.options = at(OPTIONS);
    this.#bytes = memory.bytes.subarray(offset, offset + ARGUMENT_BYTES);
    const { buffer, byteOffset } = this.#bytes;
    this.#words = new Uint32Array(buffer, byteOffset, ARGUMENT_BYTES >>> 2);
    this.#codes = new Int32Array(buffer, byteOffset + RESULTS, CAPACITY);
    this.optionsValue = { words: new Uint32Array(buffer, byteOffset + OPTIONS, 11) };
    // The first key of a batch is at the same place as the key of a single call.
    this.#setAddress(POINTERS, this.keys);
  }

  /** False if the key cannot be a C string; the caller then returns MMC_INVALID_PARAM. */
  setKey(key: string): boolean {
    // After a query, a get of the same key is likely.
    if (key === this.#lastKey && key !== '') return true;
    const written = encodeKey(this.#bytes, KEYS, key) >= 0;
    this.#lastKey = written ? key : '';
    return written;
  }

  /** False if there are too many keys, or if one of them cannot be a C string. */
  setKeys(keys: readonly string[]): boolean {
    if (keys.length > CAPACITY) return false;
    this.#lastKey = '';
    let at = KEYS;
    for (let i = 0; i < keys.length; i++) {
      this.#setAddress(POINTERS + i * 8, this.#base + at);
      at = encodeKey(this.#bytes, at, keys[i] as string);
      if (at < 0) return false;
    }
    return true;
  }

  setBuffers(blocks: readonly NativeBlock[]): void {
    for (let index = 0; index < blocks.length; index++) {
      const block = blocks[index] as NativeBlock;
      this.setBuffer(index, block, block.length);
    }
  }

  setBuffer(index: number, block: NativeBlock, length: number): void {
    const at = STRUCTS + index * BUFFER_BYTES;
    this.#setAddress(at, block.address);
    this.#words[(at + 8) >>> 2] = MEDIUM_DRAM;
    this.#setAddress(at + 16, 0);
    this.#setAddress(at + 24, length);
  }

  /** False if the struct cannot express the options; the engine checks everything else. */
  setOptions({ replicas, prefer }: PutOptions): boolean {
    const words = this.optionsValue.words;
    if (!Number.isInteger(replicas) || replicas < 0 || replicas > 0xffff) return false;
    if (prefer.length > MAX_REPLICAS) return false;
    words[0] = 0;
    words[1] = 0;
    words[2] = replicas;
    for (let i = 0; i < MAX_REPLICAS; i++) {
      const id = prefer[i];
      if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < 2 ** 31)) return false;
      words[3 + i] = id ?? -1;
    }
    return true;
  }

  clearInfos(count: number): void {
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const word = (STRUCTS + i * this.infoBytes) >>> 2;
      words[word] = 0;
      words[word + 1] = 0;
      words[word + 2] = UNWRITTEN << 24;
    }
  }

  infoWritten(index: number): boolean {
    return this.#bytes[STRUCTS + index * this.infoBytes + 11] !== UNWRITTEN;
  }

  infoValid(index: number): boolean {
    return this.#bytes[STRUCTS + index * this.infoBytes + 11] === 1;
  }

  infoSize(index: number): number {
    const word = (STRUCTS + index * this.infoBytes) >>> 2;
    return (this.#words[word] as number) + (this.#words[word + 1] as number) * 2 ** 32;
  }

  infoReplicas(index: number): Replica[] {
    const at = STRUCTS + index * this.infoBytes;
    const count = Math.min(this.#bytes[at + 10] as number, MAX_REPLICAS);
    const replicas: Replica[] = [];
    for (let i = 0; i < count; i++) {
      const medium = media[this.#bytes.readUInt16LE(at + 44 + i * 2)];
      // A replica on no medium (possible in newer engines) has no bytes.
      if (medium === undefined) continue;
      replicas.push({ serviceId: this.#bytes.readUInt32LE(at + 12 + i * 4), medium });
    }
    return replicas;
  }

  info(index: number): DataInfo {
    if (!this.infoValid(index)) return noInfo();
    return { valid: true, size: this.infoSize(index), replicas: this.infoReplicas(index) };
  }

  /** The first bytes of the memory that infos are written to. */
  infoMemory(length: number): Buffer {
    return this.#bytes.subarray(STRUCTS, STRUCTS + length);
  }

  clearResults(count: number): void {
    this.#codes.fill(UNANSWERED, 0, count);
  }

  /** Like `itemCodes`, for a batch of one and without a copy. */
  itemCode(wholeCode: number): number {
    const code = this.#codes[0] as number;
    if (code === UNANSWERED) return wholeCode === 0 ? -1 : wholeCode;
    return code === 0 ? wholeCode : code;
  }

  /**
   * Copies the codes of the items. If the whole call failed, they are unchanged and its code applies to
   * all. An item that a successful call has not processed has failed for an unknown reason.
   */
  itemCodes(count: number, wholeCode: number): Int32Array {
    const codes = this.#codes.slice(0, count);
    for (let i = 0; i < count; i++) {
      if (codes[i] === UNANSWERED) codes[i] = wholeCode === 0 ? -1 : wholeCode;
      else if (codes[i] === 0 && wholeCode !== 0) codes[i] = wholeCode;
    }
    return codes;
  }

  /** A 64-bit number below 2^53 as two words, without a BigInt. */
  #setAddress(at: number, value: number): void {
    const word = at >>> 2;
    this.#words[word] = value;
    this.#words[word + 1] = value / 2 ** 32;
  }
}
