import { ProblemError } from '../../errors/problems.ts';
import type { ChunkSink } from '../../http/body/body-sink.ts';
import { GrowingText, type TextBudget } from '../../http/body/growing-text.ts';
import { bodyTooLarge } from '../../http/body/receive-text.ts';
import type { ValueSink } from '../../store/batch/batch-writer.ts';
import type { ItemLimit } from '../keys.ts';
import { TimeSlices } from '../time-slices.ts';
import { readHeader, type Tensor } from './safetensors-header.ts';

export interface SafetensorsBody {
  /** Undefined if the length is known only at the end. */
  readonly bytes: number | undefined;
  readonly maxHeaderBytes: number;
  readonly tensors: ItemLimit;
  /** Checks the tensors, in the order of their bytes, before the sink gets any of them. */
  readonly admit?: (tensors: readonly Tensor[]) => void;
  readonly hold: TextBudget;
}

/** Tensors between two readings of the clock: small ones cost about two microseconds each. */
const CLOCK_TENSORS = 256;

/** The length of the header, little-endian. */
const LENGTH_BYTES = 8;

/**
 * Decodes a safetensors file while it arrives. The whole header is checked before anything is stored.
 * Then the sink gets the bytes of each tensor, in the order of the file.
 */
export class SafetensorsDecoder implements ChunkSink {
  readonly holdsRoom = true;
  readonly #sink: ValueSink;
  readonly #body: SafetensorsBody;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthBytes = 0;
  /** Set from when the length is known until the tensors are known. */
  #header: GrowingText | undefined;
  #headerBytes: number | undefined;
  #isHeadWhole = false;
  #tensors: readonly Tensor[] | undefined;
  /** Index of the current or next tensor. */
  #index = 0;
  #begun = false;
  /** Bytes after the header. */
  #at = 0;
  readonly #slices = new TimeSlices();
  #discarded = false;

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
    const incomplete = this.#incomplete();
    this.discard();
    if (incomplete !== undefined) throw incomplete;
  }

  #incomplete(): ProblemError | undefined {
    if (this.#tensors === undefined) {
      const wanted = this.#headerBytes ?? LENGTH_BYTES;
      const have = this.#header?.bytes.length ?? this.#lengthBytes;
      return fault(
        `ends after ${have} of the ${wanted} bytes of its ${this.#headerBytes === undefined ? 'header length' : 'header'}`,
      );
    }
    const wanted = this.#tensors.at(-1)?.end ?? 0;
    return this.#at < wanted
      ? fault(`ends after ${this.#at} of ${wanted} bytes of tensors`)
      : undefined;
  }

  discard(): void {
    this.#discarded = true;
    this.#slices.stop();
    this.#forgetHeader();
  }

  /** Returns the number of bytes that it used. */
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

  /** Reads the header, then decodes the rest of the chunk in which it ended. */
  async #readTensors(header: Buffer, chunk: Buffer, from: number): Promise<void> {
    const { tensors: limit, admit } = this.#body;
    const tensors = await readHeader(header, limit, this.#slices);
    if (this.#discarded) return;
    this.#isHeadWhole = false;
    this.#forgetHeader();
    this.#requireLength(tensors);
    admit?.(tensors);
    this.#tensors = tensors;
    await this.#takeBytes(tensors, chunk, from);
  }

  #beginHeader(): void {
    const { bytes, maxHeaderBytes, hold } = this.#body;
    // Lengths above 2^53 are inexact, but they are refused anyway.
    const length = Number(this.#length.readBigUInt64LE());
    if (length < 2) throw fault(`has a header of ${length} bytes; the shortest is {}`);
    if (bytes !== undefined && length > bytes - LENGTH_BYTES) {
      throw fault(`has ${bytes} bytes, but announces a header of ${length} bytes`);
    }
    if (length > maxHeaderBytes) throw bodyTooLarge(maxHeaderBytes);
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
    if (wanted !== bytes) throw fault(`has ${bytes} bytes, but its header describes ${wanted}`);
  }

  #takeBytes(tensors: readonly Tensor[], chunk: Buffer, from: number): void | Promise<void> {
    let at = from;
    const later = (wait: Promise<void>): Promise<void> =>
      wait.then(() => (this.#discarded ? undefined : this.#takeBytes(tensors, chunk, at)));
    for (;;) {
      const tensor = tensors[this.#index];
      if (tensor === undefined) {
        if (at < chunk.length) throw fault('has data after its last tensor');
        return;
      }
      // Memory is requested only when there are bytes for it.
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
