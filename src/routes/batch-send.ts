import type { ReadEncoder } from '../codecs/codec.ts';
import { TimeSlices } from '../codecs/time-slices.ts';
import { BodyAssembly } from '../http/body-assembly.ts';
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

/** A multiple of 3, so that the base64 of pieces is the base64 of the whole. */
const BASE64_BYTES = 3 << 15;

/**
 * Sends the items of a window, and lets go of its blocks when they have left. What lies one after the
 * other in the block is written as one where nothing stands in between.
 */
export async function sendWindow(cargo: Cargo, window: ReadWindow): Promise<void> {
  const { writer, encoder, plan, cut } = cargo;
  const out = new BodyAssembly(writer);
  const slices = new TimeSlices();
  try {
    for (let index = window.from; index < window.to; index++) {
      const wait = slices.pause();
      if (wait !== undefined) await wait;
      const problem = plan.problems.get(index);
      if (problem !== undefined) {
        out.text(encoder.failure(index, problem));
        if (out.mustWait) await out.bounded();
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
          if (encoder.base64) await sendBase64(out, block, from, from + piece.bytes, slices);
          else out.bytes(block, from, from + piece.bytes);
        }
        out.text(encoder.after(item++));
        if (out.mustWait) await out.bounded();
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
  out: BodyAssembly,
  block: Block,
  start: number,
  end: number,
  slices: TimeSlices,
): Promise<void> {
  for (let at = start; at < end; at += BASE64_BYTES) {
    out.text(block.view.toString('base64', at, Math.min(end, at + BASE64_BYTES)));
    if (out.mustWait) await out.bounded();
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
}
