import type { ChunkSink } from '../../http/body/body-sink.ts';
import type { ValueSink } from '../../store/batch/batch-writer.ts';
import type { ItemLimit } from '../keys.ts';
import { TimeSlices } from '../time-slices.ts';
import {
  MAX_HEADER_BYTES,
  multipartFault,
  type PartHead,
  type PartHeaders,
  parsePartHeaders,
  partFault,
} from './part-head.ts';

const NOTHING = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;
/** Blanks between a delimiter and the end of its line: transport padding (RFC 2046 §5.1.1). */
const MAX_PADDING_BYTES = 256;

/** The content of a body. */
export interface MultipartRules {
  readonly parts: ItemLimit;
  /** `number` counts from 1. */
  readonly readHead: (headers: PartHeaders, number: number) => PartHead;
}

/**
 * Decodes a multipart/form-data body while it arrives (RFC 7578, RFC 2046 §5.1). Fields and files are
 * treated alike: every part is bytes, which go to the sink at once. Bytes wait only if they may be a part
 * of a delimiter or of the headers of a part.
 */
export class MultipartDecoder implements ChunkSink {
  readonly holdsRoom = true;
  readonly #sink: ValueSink;
  readonly #rules: MultipartRules;
  /** With the line break before it, which belongs to the delimiter and not to the part. */
  readonly #delimiter: Buffer;
  #state: 'preamble' | 'delimiter' | 'head' | 'bytes' | 'epilogue' = 'preamble';
  /** Bytes that are not decoded yet. The initial line break lets the body begin with a delimiter. */
  #data: Buffer = Buffer.from('\r\n');
  /** Bytes at the start of `data` that end a head and may begin a delimiter; they belong to no part. */
  #lead = 0;
  #parts = 0;
  /** For the current part: its Content-Length, and the bytes that the sink has got. */
  #announced: number | undefined;
  #taken = 0;
  readonly #slices = new TimeSlices();
  #discarded = false;

  constructor(sink: ValueSink, boundary: string | undefined, rules: MultipartRules) {
    if (boundary === undefined || boundary === '' || boundary.length > 70) {
      throw multipartFault('The Content-Type of a multipart body needs a boundary');
    }
    this.#sink = sink;
    this.#rules = rules;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  async write(chunk: Buffer): Promise<void> {
    this.#data = this.#data.length === 0 ? chunk : Buffer.concat([this.#data, chunk]);
    while (!this.#discarded && (await this.#step())) {
      // A body that consists of near-delimiters needs many steps for each chunk.
      const wait = this.#slices.pause();
      if (wait !== undefined) await wait;
    }
  }

  end(): void {
    if (this.#state === 'epilogue') return;
    throw this.#state === 'head'
      ? partFault(this.#parts + 1, 'is cut off in its headers')
      : multipartFault('The body ends before the delimiter that closes it');
  }

  discard(): void {
    this.#discarded = true;
    this.#slices.stop();
    this.#data = NOTHING;
  }

  /** Resolves with true if there is more to decode in the received bytes. */
  #step(): boolean | Promise<boolean> {
    switch (this.#state) {
      case 'preamble':
        return this.#skipPreamble();
      case 'delimiter':
        return this.#readDelimiterLine();
      case 'head':
        return this.#readHead();
      case 'bytes':
        return this.#readBytes();
      case 'epilogue':
        this.#data = NOTHING;
        return false;
    }
  }

  #skipPreamble(): boolean {
    const at = this.#data.indexOf(this.#delimiter);
    this.#drop(at < 0 ? this.#data.length - this.#unsureBytes() : at + this.#delimiter.length);
    if (at >= 0) this.#state = 'delimiter';
    return at >= 0;
  }

  /** The rest of the line shows whether it is a delimiter; otherwise the bytes belong to the part. */
  #readDelimiterLine(): boolean | Promise<boolean> {
    const data = this.#data;
    if (data.length === 0 || (data[0] === DASH && data.length === 1)) return false;
    if (data[0] === DASH && data[1] === DASH) return this.#finishPart('epilogue');
    let at = 0;
    while (isBlank(data[at])) at++;
    if (at > MAX_PADDING_BYTES) {
      throw multipartFault(`A delimiter has more than ${MAX_PADDING_BYTES} blanks after it`);
    }
    if (at === data.length || (data[at] === CR && at + 1 === data.length)) return false;
    if (data[at] !== CR || data[at + 1] !== LF) return this.#takeDelimiter();
    this.#drop(at + 2);
    return this.#finishPart('head');
  }

  async #finishPart(next: 'head' | 'epilogue'): Promise<boolean> {
    if (this.#parts > 0) {
      if (this.#announced !== undefined && this.#taken !== this.#announced) {
        throw this.#wrongLength(this.#announced);
      }
      await this.#sink.finish();
    }
    this.#state = next;
    return true;
  }

  /** It was no delimiter, so it belongs to the part or to the preamble. */
  async #takeDelimiter(): Promise<boolean> {
    this.#state = this.#parts === 0 ? 'preamble' : 'bytes';
    if (this.#parts > 0) await this.#take(this.#delimiter.subarray(this.#lead));
    this.#lead = 0;
    return true;
  }

  async #readHead(): Promise<boolean> {
    const data = this.#data;
    if (data.length < 2) return false;
    const isEmpty = data[0] === CR && data[1] === LF;
    const end = isEmpty ? 0 : data.indexOf('\r\n\r\n');
    const number = this.#parts + 1;
    // The headers may be followed by three bytes of the blank line.
    if (end > MAX_HEADER_BYTES || (end < 0 && data.length > MAX_HEADER_BYTES + 3)) {
      throw partFault(number, `has more than ${MAX_HEADER_BYTES} bytes of headers`);
    }
    if (end < 0) return false;
    const { parts, readHead } = this.#rules;
    if (number > parts.most) throw parts.exceeded();
    const headers = parsePartHeaders(data.toString('latin1', 0, end), number);
    const { key, bytes } = readHead(headers, number);
    parts.count?.(key);
    // Keep the line break of the blank line: in an empty part, the next delimiter begins with it.
    this.#drop(isEmpty ? 0 : end + 2);
    this.#lead = 2;
    this.#parts = number;
    this.#announced = bytes;
    this.#taken = 0;
    this.#state = 'bytes';
    await this.#sink.begin(key, bytes);
    return true;
  }

  async #readBytes(): Promise<boolean> {
    const data = this.#data;
    const at = data.indexOf(this.#delimiter);
    const end = at < 0 ? data.length - this.#unsureBytes() : at;
    const bytes = data.subarray(this.#lead, end);
    this.#lead = Math.max(0, this.#lead - end);
    this.#drop(at < 0 ? end : end + this.#delimiter.length);
    if (at >= 0) this.#state = 'delimiter';
    await this.#take(bytes);
    return at >= 0;
  }

  async #take(bytes: Buffer): Promise<void> {
    this.#taken += bytes.length;
    if (this.#announced !== undefined && this.#taken > this.#announced) {
      throw this.#wrongLength(this.#announced);
    }
    if (bytes.length > 0) await this.#sink.take(bytes);
  }

  #wrongLength(announced: number) {
    return partFault(this.#parts, `does not have the ${announced} bytes of its Content-Length`);
  }

  #drop(bytes: number): void {
    this.#data = this.#data.subarray(bytes);
  }

  /** How many of the last bytes may be the start of a delimiter. */
  #unsureBytes(): number {
    const { length } = this.#data;
    const from = Math.max(0, length - this.#delimiter.length + 1);
    for (let at = this.#data.indexOf(CR, from); at >= 0; at = this.#data.indexOf(CR, at + 1)) {
      if (this.#delimiter.subarray(0, length - at).equals(this.#data.subarray(at))) {
        return length - at;
      }
    }
    return 0;
  }
}
