import type { Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import type { TextHold } from '../http/text-hold.ts';
import type { ValueSink } from '../store/batch-writer.ts';
import type { PutDecoder } from './codec.ts';
import { ITEM_BYTES } from './item-cost.ts';
import type { ItemLimit } from './keys.ts';
import { multipartFault, type PartHead, type PartHeaders, partFault } from './part-head.ts';

/** Of the headers of one part together; a key has at most 255 bytes of it. */
const MOST_HEADER_BYTES = 16 * 1024;
const MOST_HEADERS = 64;

/** What is to be found in a body. */
export interface MultipartRules {
  readonly parts: ItemLimit;
  /** `number` counts from 1. */
  readonly readHead: (headers: PartHeaders, number: number) => PartHead;
  /** Holds the memory of parts that wait in line: a chunk of 64 KiB may have a thousand of them. */
  readonly hold: Pick<TextHold, 'take' | 'giveBack'>;
}

/**
 * A multipart/form-data body as it arrives. The parser below busboy is used, since it tells the
 * headers of a part, Content-Length among them, and knows nothing of fields and files: every part is
 * bytes. Parts are given to the sink one after the other; those found in one chunk wait in line.
 */
export class MultipartDecoder implements PutDecoder {
  readonly #sink: ValueSink;
  readonly #rules: MultipartRules;
  readonly #parser: Dicer;
  readonly #finished: Promise<void>;
  /** All parts but the last one, which may still be arriving; and all of them. */
  #allButLast: Promise<void> = Promise.resolve();
  #all: Promise<void> = Promise.resolve();
  #parts = 0;
  #arriving: Readable | undefined;
  /** The head of the part that has just begun is still to come. */
  #lacksHead = false;
  #fault: unknown;
  #reject: (error: unknown) => void = () => undefined;

  constructor(sink: ValueSink, boundary: string | undefined, rules: MultipartRules) {
    if (boundary === undefined || boundary === '' || boundary.length > 70) {
      throw multipartFault('The Content-Type of a multipart body needs a boundary');
    }
    this.#sink = sink;
    this.#rules = rules;
    const limits = { maxHeaderSize: MOST_HEADER_BYTES, maxHeaderPairs: MOST_HEADERS };
    this.#parser = new Dicer({ boundary, ...limits });
    this.#parser.on('part', (part: Readable) => this.#begin(part));
    this.#finished = new Promise((resolve, reject) => {
      this.#parser.on('finish', () => resolve());
      this.#parser.on('error', () => {
        const fault = multipartFault('The body ends before the delimiter that closes it');
        this.#fail(fault);
        reject(fault);
      });
    });
    this.#finished.catch(() => undefined);
  }

  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      if (this.#fault !== undefined) {
        this.#fail(this.#fault);
        return;
      }
      this.#parser.write(chunk, () => resolve());
      // It forgets its callback when the last part ends while a slow taker has it wait.
      this.#all.then(resolve, reject);
    });
    this.#throwFault();
    await this.#allButLast;
    this.#throwFault();
  }

  async end(): Promise<void> {
    this.#parser.end();
    await Promise.all([this.#finished, this.#all]);
    if (this.#lacksHead) this.#fail(partFault(this.#parts, 'has no headers'));
    this.#throwFault();
  }

  destroy(): void {
    this.#fault ??= multipartFault('The body was given up');
    this.#arriving?.destroy();
    this.#parser.destroy();
  }

  #begin(part: Readable): void {
    if (this.#lacksHead) this.#fail(partFault(this.#parts, 'has no headers'));
    const number = ++this.#parts;
    const { most, exceeded } = this.#rules.parts;
    if (number > most) this.#fail(exceeded());
    this.#holdPart();
    this.#lacksHead = true;
    this.#arriving = part;
    // It tells of a part that is cut off, which then ends as if it were whole.
    part.on('error', () => this.#fail(partFault(number, 'is cut off')));
    part.once('header', (headers: PartHeaders) => {
      this.#lacksHead = false;
      this.#allButLast = this.#all;
      this.#all = this.#all.then(() => this.#give(part, headers, number));
      this.#all.catch((error: unknown) => this.#fail(error));
    });
  }

  async #give(part: Readable, headers: PartHeaders, number: number): Promise<void> {
    this.#throwFault();
    const { key, bytes } = this.#rules.readHead(headers, number);
    this.#rules.parts.count?.(key);
    await this.#sink.begin(key, bytes);
    let taken = 0;
    for await (const chunk of part as AsyncIterable<Buffer>) {
      this.#throwFault();
      taken += chunk.length;
      if (bytes !== undefined && taken > bytes) break;
      await this.#sink.take(chunk);
    }
    this.#throwFault();
    if (bytes !== undefined && taken !== bytes) {
      throw partFault(number, `does not have the ${bytes} bytes of its Content-Length`);
    }
    await this.#sink.finish();
    this.#rules.hold.giveBack(ITEM_BYTES.waitingPart);
  }

  /** Until the part is stored; the owner of the hold releases it when the decoder fails. */
  #holdPart(): void {
    try {
      if (this.#fault === undefined) this.#rules.hold.take(ITEM_BYTES.waitingPart);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#fault ??= error;
    this.#reject(this.#fault);
  }

  #throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault as Error;
  }
}
