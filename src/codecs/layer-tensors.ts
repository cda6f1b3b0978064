import { ProblemError } from '../errors.ts';
import { printable } from '../http/query.ts';
import { emptyLayer } from '../store/layers.ts';
import { quoted } from './item-text.ts';
import type { Tensor } from './safetensors-header.ts';

/**
 * The sizes of layers that come as tensors: their names are exactly 0 to n-1, in decimal, and their
 * numeric order is that of the layers, never that of bytes or of JSON (design.md §3).
 * @throws ProblemError `invalid-body`
 */
export function layerSizesOfTensors(tensors: readonly Tensor[]): readonly number[] {
  const sizes = new Array<number>(tensors.length).fill(0);
  for (const { name, start, end } of tensors) {
    const number = /^(?:0|[1-9]\d{0,2})$/.test(name) ? Number(name) : tensors.length;
    if (number >= tensors.length) {
      throw new ProblemError('invalid-body', {
        detail: `The safetensors file has ${tensors.length} tensors, and one is named ${quoted(printable(name))}: layers are named 0 to ${tensors.length - 1}.`,
      });
    }
    if (end === start) throw emptyLayer(number);
    sizes[number] = end - start;
  }
  return sizes;
}
