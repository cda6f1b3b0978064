import type { ReadEncoder } from '../codecs/codec.ts';
import type { BodyWriter } from '../http/body-writer.ts';
import type { Block } from '../native/types.ts';
import type { ReadPlan, ReadWindow } from '../store/batch-read.ts';
import type { LayerCut } from '../store/layers.ts';

export interface Cargo {
  readonly writer: BodyWriter;
  readonly encoder: ReadEncoder;
  readonly plan: ReadPlan;
  /** How the objects are cut into layers, when they are. */
  readonly cut?: LayerCut | undefined;
}

/** Text that is collected before it is written by itself. */
const TEXT_LENGTH = 64 * 1024;
/** A multiple of 3, so that the base64 of pieces is the base64 of the whole. */
const BASE64_BYTES = 3 << 18;

/**
 * Sends the items of a window, and lets go of its blocks when they have left. What lies one after the
 * other in the block is written as one where nothing stands in between.
 */
export async function sendWindow(cargo: Cargo, window: ReadWindow): Promise<void> {
  const { writer, encoder, plan, cut } = cargo;
  const out = new Assembly(writer);
  try {
    for (let index = window.from; index < window.to; index++) {
      const problem = plan.problems.get(index);
      if (problem !== undefined) {
        out.text(encoder.failure(index, problem));
        continue;
      }
      const size = plan.sizes[index] as number;
      const replaced = window.replaced.get(index);
      const block = replaced ?? window.block;
      const start = replaced === undefined ? (window.offsets[index - window.from] as number) : 0;
      const pieces = cut?.selected ?? [{ start: 0, bytes: size }];
      let item = index * pieces.length;
      for (const piece of pieces) {
        out.text(encoder.before(item, piece.bytes));
        const from = start + piece.start;
        if (block !== undefined && piece.bytes > 0) {
          if (encoder.base64) await sendBase64(out, writer, block, from, from + piece.bytes);
          else out.bytes(block, from, from + piece.bytes);
        }
        out.text(encoder.after(item++));
      }
    }
    out.flush();
  } finally {
    writer.afterwards(() => releaseWindow(window));
  }
}

export function releaseWindow({ block, replaced }: ReadWindow): void {
  block?.release();
  for (const other of replaced.values()) other.release();
}

async function sendBase64(
  out: Assembly,
  writer: BodyWriter,
  block: Block,
  start: number,
  end: number,
): Promise<void> {
  for (let at = start; at < end; at += BASE64_BYTES) {
    out.text(block.view.toString('base64', at, Math.min(end, at + BASE64_BYTES)));
    // Text is not in the arena: no more of it is made than leaves.
    if (writer.backlog > BASE64_BYTES) await writer.drained(BASE64_BYTES);
  }
}

/** Joins texts, and bytes that lie next to each other. */
class Assembly {
  readonly #writer: BodyWriter;
  #text = '';
  #block: Block | undefined;
  #start = 0;
  #end = 0;

  constructor(writer: BodyWriter) {
    this.#writer = writer;
  }

  text(text: string): void {
    if (text === '') return;
    this.#flushBytes();
    this.#text += text;
    if (this.#text.length >= TEXT_LENGTH) this.#flushText();
  }

  bytes(block: Block, start: number, end: number): void {
    this.#flushText();
    if (block === this.#block && start === this.#end) this.#end = end;
    else {
      this.#flushBytes();
      this.#block = block;
      this.#start = start;
      this.#end = end;
    }
  }

  flush(): void {
    this.#flushBytes();
    this.#flushText();
  }

  #flushText(): void {
    if (this.#text === '') return;
    this.#writer.write(Buffer.from(this.#text));
    this.#text = '';
  }

  #flushBytes(): void {
    if (this.#block === undefined) return;
    this.#writer.write(this.#block.view.subarray(this.#start, this.#end));
    this.#block = undefined;
  }
}
