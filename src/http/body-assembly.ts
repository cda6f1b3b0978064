import type { Block } from '../native/types.ts';
import type { BodyWriter } from './body-writer.ts';

/** Text that is collected before it is written by itself. */
const TEXT_LENGTH = 64 * 1024;
/** Fewer bytes than this are copied to the texts around them. */
export const COPIED_BYTES = 4096;
/** What waits to leave and is not in the arena. */
const OUTSIDE_BYTES = 256 * 1024;
/** Bytes outside the arena that one response holds at most: twice that, and what is being joined. */
export const MAX_OUTSIDE_BYTES = 768 * 1024;

/**
 * Joins texts, and bytes that lie next to each other. Few bytes between texts are copied to them: a
 * write for each layer of a few bytes would cost more than its bytes do.
 */
export class BodyAssembly {
  readonly #writer: BodyWriter;
  #copies: Uint8Array[] = [];
  #text = '';
  /** Of texts and copies that are not written. */
  #pendingBytes = 0;
  /** Bytes that lie in a block, behind the texts and copies. */
  #block: Block | undefined;
  #start = 0;
  #end = 0;
  /** Written outside the arena, since the last time that this was waited for. */
  #outsideBytes = 0;

  constructor(writer: BodyWriter) {
    this.#writer = writer;
  }

  text(text: string): void {
    if (text === '') return;
    this.#settleBytes();
    this.#text += text;
    this.#pendingBytes += text.length;
    if (this.#pendingBytes >= TEXT_LENGTH) this.#writeTexts();
  }

  bytes(block: Block, start: number, end: number): void {
    if (block === this.#block && start === this.#end) {
      this.#end = end;
      return;
    }
    this.#settleBytes();
    this.#block = block;
    this.#start = start;
    this.#end = end;
  }

  flush(): void {
    this.#settleBytes();
    this.#writeTexts();
  }

  /** To be awaited when it `mustWait`. Rejects with ClientGoneError. */
  async bounded(): Promise<void> {
    await this.#writer.drained(OUTSIDE_BYTES);
    this.#outsideBytes = 0;
  }

  /** Whether more waits to leave that is not in the arena than is bounded. */
  get mustWait(): boolean {
    return this.#outsideBytes > OUTSIDE_BYTES;
  }

  #settleBytes(): void {
    if (this.#block === undefined) return;
    const view = this.#block.view.subarray(this.#start, this.#end);
    this.#block = undefined;
    if (view.length < COPIED_BYTES) {
      this.#takeText();
      this.#copies.push(Buffer.from(view));
      this.#pendingBytes += view.length;
      if (this.#pendingBytes >= TEXT_LENGTH) this.#writeTexts();
      return;
    }
    this.#writeTexts();
    this.#writer.write(view);
  }

  #takeText(): void {
    if (this.#text !== '') this.#copies.push(Buffer.from(this.#text));
    this.#text = '';
  }

  #writeTexts(): void {
    this.#takeText();
    const [only] = this.#copies;
    if (only === undefined) return;
    const joined = this.#copies.length === 1 ? only : Buffer.concat(this.#copies);
    this.#copies = [];
    this.#pendingBytes = 0;
    this.#outsideBytes += joined.length;
    this.#writer.write(joined);
  }
}
