import type { ReadEncoder } from '../../codecs/codec.ts';
import { TimeSlices } from '../../codecs/time-slices.ts';
import { addAttachment } from '../../http/response/disposition.ts';
import type { HeaderList } from '../../http/response/headers.ts';
import type { ResponseSender } from '../../http/response/sender.ts';
import type { Block } from '../../native/abi/types.ts';
import type { LayerCut } from '../../store/layers/layers.ts';
import type { ReadPlan, ReadWindow } from '../../store/read-objects.ts';

export interface Cargo {
  readonly sender: ResponseSender;
  readonly encoder: ReadEncoder;
  readonly plan: ReadPlan;
  /** How the objects are cut into layers, when they are. */
  readonly cut?: LayerCut | undefined;
}

/** Headers of a body that an encoder makes; browsers save it under this name, unless it is JSON. */
export function encodedHeaders(encoder: ReadEncoder, fileName: string): HeaderList {
  const { contentType, contentLength, fileExtension } = encoder;
  const headers = ['Content-Type', contentType];
  if (contentLength !== undefined) headers.push('Content-Length', String(contentLength));
  if (fileExtension !== undefined) addAttachment(headers, fileName, fileExtension);
  return headers;
}

/** A multiple of 3, so that the base64 of pieces is the base64 of the whole. */
const BASE64_BYTES = 3 << 15;

/** Sends the items of a window, and releases its blocks when they are sent. */
export async function sendWindow(cargo: Cargo, window: ReadWindow): Promise<void> {
  const { sender, encoder, plan, cut } = cargo;
  const slices = new TimeSlices();
  try {
    for (let index = window.from; index < window.to; index++) {
      const problem = plan.problems.get(index);
      if (problem !== undefined) sender.text(encoder.failure(index, problem));
      const size = plan.sizes[index] as number;
      const pieces = problem === undefined ? (cut?.selected ?? [{ start: 0, bytes: size }]) : [];
      const replaced = window.replaced.get(index);
      const block = replaced ?? window.block;
      const start = replaced === undefined ? (window.offsets[index - window.from] as number) : 0;
      let item = index * pieces.length;
      for (const piece of pieces) {
        sender.text(encoder.before(item, piece.bytes));
        const from = start + piece.start;
        if (block !== undefined && piece.bytes > 0) {
          if (encoder.base64) await sendBase64(sender, block, from, from + piece.bytes, slices);
          else sender.bytes(block, from, from + piece.bytes);
        }
        sender.text(encoder.after(item++));
        const room = sender.room();
        if (room !== undefined) await room;
      }
      const wait = sender.room() ?? slices.pause();
      if (wait !== undefined) await wait;
    }
  } finally {
    sender.afterwards(() => releaseWindow(window));
  }
}

export function releaseWindow({ block, replaced }: ReadWindow): void {
  block?.release();
  for (const other of replaced.values()) other.release();
}

async function sendBase64(
  sender: ResponseSender,
  block: Block,
  start: number,
  end: number,
  slices: TimeSlices,
): Promise<void> {
  for (let at = start; at < end; at += BASE64_BYTES) {
    sender.text(block.view.toString('base64', at, Math.min(end, at + BASE64_BYTES)));
    const room = sender.room();
    if (room !== undefined) await room;
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
}
