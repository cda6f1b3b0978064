import type { TextHold } from '../http/text-hold.ts';

/**
 * Bytes of the JavaScript heap that an item takes, its key's text excepted, for as long as its request
 * is served: keys, sizes, tensors, blocks, outcomes. test/unit/codecs/item-cost.test.ts measures each
 * form and fails when a figure is too small; each has a margin over what it measures.
 */
export const ITEM_BYTES = {
  /** A key of exists and remove. */
  key: 96,
  /** A key of info, whose replicas are kept until the response has left. */
  info: 640,
  /** A key of a batch get. */
  get: 480,
  /** An item of a JSON put, without its values. */
  put: 600,
  /** A value of a JSON put, or a layer of one. */
  value: 224,
  /** A tensor of a safetensors put. */
  tensor: 640,
  /** A part of a multipart put. */
  part: 640,
} as const;

export type ItemForm = Exclude<keyof typeof ITEM_BYTES, 'value'>;

/** The text of an item in a response, and how much of a response is ahead of a slow client at most. */
const RESULT_BYTES = 512;
const MAX_RESULTS_BYTES = 256 * 1024;

/** Counts an item with this key, and `values` values. Throws what `TextHold.count` does. */
export type CountItem = (key: string, values?: number) => void;

/** Counts the items of one request, and the text of its response as far as that is made ahead. */
export function itemCounter(hold: Pick<TextHold, 'count'>, form: ItemForm): CountItem {
  let resultBytes = 0;
  return (key, values = 0) => {
    // A string takes two bytes for each character as soon as one of them needs two.
    let bytes = ITEM_BYTES[form] + 2 * key.length + values * ITEM_BYTES.value;
    if (resultBytes < MAX_RESULTS_BYTES) {
      resultBytes += RESULT_BYTES;
      bytes += RESULT_BYTES;
    }
    hold.count(bytes);
  };
}
