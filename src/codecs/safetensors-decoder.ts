import { ProblemError } from '../errors.ts';
import { GrowingText, type TextBudget } from '../http/growing-text.ts';
import { bodyTooLarge } from '../http/receive-text.ts';
import type { ValueSink } from '../store/batch-writer.ts';
import type { PutDecoder } from './codec.ts';
import type { ItemLimit } from './keys.ts';
import { readHeader, type Tensor } from './safetensors-header.ts';
import { TimeSlices } from './time-slices.ts';

export interface SafetensorsBody {
  /** Undefined when the length is known at the end only. */
  readonly bytes: number | undefined;
  readonly mostHeaderBytes: number;
  readonly tensors: ItemLimit;
  /** Judges the tensors, in the order of their bytes, before any of them is given to the sink. */
  readonly admit?: (tensors: readonly Tensor[]) => void;
  readonly hold: TextBudget;
}

/** Tensors between two looks at the clock: small ones cost about two microseconds each. */
const CLOCK_TENSORS = 256;

/** The header's length, in little-endian. */
const LENGTH_BYTES = 8;

/**
 * A safetensors file as it arrives: the header is judged whole, before anything is stored; then the
 * bytes of each tensor go to the sink as they come, in the order in which they lie in the file.
 */
export class SafetensorsDecoder implements PutDecoder {
  readonly #sink: ValueSink;
  readonly #body: SafetensorsBody;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthBytes = 0;
  /** Set once the length is known, until the tensors are. */
  #header: GrowingText | undefined;
  #headerBytes: number | undefined;
  #isHeadWhole = false;
  #tensors: readonly Tensor[] | undefined;
  /** Of the tensor that comes next, or is under way. */
  #index = 0;
  #begun = false;
  /** Bytes behind the header. */
  #at = 0;
  readonly #slices = new TimeSlices();
  #destroyed = false;

  constructor(sink: ValueSink, body: SafetensorsBody) {
    this.#sink = sink;
    this.#body = body;
  }

  write(chunk: Buffer): void | Promise<void> {
    let from = 0;
    while (this.#tensors === undefined) {
      if (from === chunk.length) return;
      from += this.#takeHead(chunk, from);
      if (this.#isHeadWhole && this.#header !== undefined) {
        return this.#readTensors(this.#header.bytes, chunk, from);
      }
    }
    return this.#takeBytes(this.#tensors, chunk, from);
  }

  end(): void {
    if (this.#tensors === undefined) {
      const wanted = this.#headerBytes ?? LENGTH_BYTES;
      const have = this.#header?.bytes.length ?? this.#lengthBytes;
      throw fault(
        `ends after ${have} of the ${wanted} bytes of its ${this.#headerBytes === undefined ? 'header length' : 'header'}`,
      );
    }
    const wanted = this.#tensors.at(-1)?.end ?? 0;
    if (this.#at < wanted) throw fault(`ends after ${this.#at} of ${wanted} bytes of tensors`);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#slices.stop();
    this.#forgetHeader();
  }

  /** Returns how many bytes it took. */
  #takeHead(chunk: Buffer, from: number): number {
    if (this.#header === undefined) {
      const taken = chunk.copy(this.#length, this.#lengthBytes, from);
      this.#lengthBytes += taken;
      if (this.#lengthBytes === LENGTH_BYTES) this.#beginHeader();
      return taken;
    }
    const taken = this.#header.append(chunk, from);
    this.#isHeadWhole = this.#header.bytes.length === this.#headerBytes;
    return taken;
  }

  /** Reads the header, then takes the rest of the chunk it ended in. */
  async #readTensors(header: Buffer, chunk: Buffer, from: number): Promise<void> {
    const { tensors: limit, admit } = this.#body;
    const tensors = await readHeader(header, limit, this.#slices);
    if (this.#destroyed) return;
    this.#isHeadWhole = false;
    this.#forgetHeader();
    this.#requireLength(tensors);
    admit?.(tensors);
    this.#tensors = tensors;
    await this.#takeBytes(tensors, chunk, from);
  }

  #beginHeader(): void {
    const { bytes, mostHeaderBytes, hold } = this.#body;
    // What is not exact beyond 2^53 is refused all the same.
    const length = Number(this.#length.readBigUInt64LE());
    if (length < 2) throw fault(`has a header of ${length} bytes; the shortest is {}`);
    if (bytes !== undefined && length > bytes - LENGTH_BYTES) {
      throw fault(`has ${bytes} bytes, and its header alone is to have ${length}`);
    }
    if (length > mostHeaderBytes) throw bodyTooLarge(mostHeaderBytes);
    this.#headerBytes = length;
    this.#header = new GrowingText(hold, length);
  }

  #forgetHeader(): void {
    this.#header?.release();
    this.#header = undefined;
  }

  #requireLength(tensors: readonly Tensor[]): void {
    const { bytes } = this.#body;
    if (bytes === undefined) return;
    const wanted = LENGTH_BYTES + (this.#headerBytes ?? 0) + (tensors.at(-1)?.end ?? 0);
    if (wanted !== bytes) throw fault(`has ${bytes} bytes, and by its header it has ${wanted}`);
  }

  #takeBytes(tensors: readonly Tensor[], chunk: Buffer, from: number): void | Promise<void> {
    let at = from;
    const later = (wait: Promise<void>): Promise<void> =>
      wait.then(() => (this.#destroyed ? undefined : this.#takeBytes(tensors, chunk, at)));
    for (;;) {
      const tensor = tensors[this.#index];
      if (tensor === undefined) {
        if (at < chunk.length) throw fault('goes on after its last tensor');
        return;
      }
      // Room is not asked for before there is something to put there.
      if (at === chunk.length && this.#at < tensor.end) return;
      if (!this.#begun) {
        at += this.#advance(Math.min(Math.max(0, tensor.start - this.#at), chunk.length - at));
        if (this.#at < tensor.start) return;
        this.#begun = true;
        const wait = this.#sink.begin(tensor.name, tensor.end - tensor.start);
        if (wait !== undefined) return later(wait);
      }
      const bytes = this.#advance(Math.min(tensor.end - this.#at, chunk.length - at));
      if (bytes > 0) {
        const wait = this.#sink.take(chunk.subarray(at, at + bytes));
        at += bytes;
        if (wait !== undefined) return later(wait);
      }
      if (this.#at < tensor.end) return;
      this.#begun = false;
      this.#index++;
      const wait = this.#sink.finish() ?? this.#pauseAtTimes();
      if (wait !== undefined) return later(wait);
    }
  }

  /** One chunk may have many thousands of small tensors, and any number of empty ones. */
  #pauseAtTimes(): Promise<void> | undefined {
    return this.#index % CLOCK_TENSORS === 0 ? this.#slices.pause() : undefined;
  }

  #advance(bytes: number): number {
    this.#at += bytes;
    return bytes;
  }
}

const fault = (complaint: string): ProblemError =>
  new ProblemError('invalid-body', { detail: `The safetensors file ${complaint}.` });
