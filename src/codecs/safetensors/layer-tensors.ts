import { ProblemError } from '../../errors/problems.ts';
import { printable } from '../../http/request/query.ts';
import { emptyLayer } from '../../store/layers/layers.ts';
import { quoted } from '../item-text.ts';
import type { Tensor } from './safetensors-header.ts';

/**
 * The sizes of layers that arrive as tensors. Their names are exactly 0 to n-1 in decimal. The numbers
 * give the order of the layers, not the order of bytes or of JSON (docs/decisions/0008-layers.md).
 * @throws ProblemError `invalid-body`
 */
export function layerSizesOfTensors(tensors: readonly Tensor[]): readonly number[] {
  const sizes = new Array<number>(tensors.length).fill(0);
  for (const { name, start, end } of tensors) {
    const number = /^(?:0|[1-9]\d{0,2})$/.test(name) ? Number(name) : tensors.length;
    if (number >= tensors.length) {
      throw new ProblemError('invalid-body', {
        detail: `The safetensors file has ${tensors.length} tensors, but one is named ${quoted(printable(name))}: layers are named 0 to ${tensors.length - 1}.`,
      });
    }
    if (end === start) throw emptyLayer(number);
    sizes[number] = end - start;
  }
  return sizes;
}
