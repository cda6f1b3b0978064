import type { TextHold } from '../http/body/text-hold.ts';

/**
 * Bytes of the JavaScript heap that an item needs while its request is served, without the text of its
 * key: sizes, tensors, blocks, outcomes. test/unit/codecs/item-cost.test.ts measures each form and fails
 * if a number is too small; each number has a margin.
 */
export const ITEM_BYTES = {
  /** A key of exists and remove. */
  key: 96,
  /** A key of info, whose replicas are kept until the response has been sent. */
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

/** The text of an item in a response, and the most text of a response ahead of a slow client. */
const RESULT_BYTES = 512;
const MAX_RESULTS_BYTES = 256 * 1024;

/** Counts an item with this key and `values` values. Throws the error of `TextHold.count`. */
export type CountItem = (key: string, values?: number) => void;

/** Counts the items of one request, and the prepared text of its response. */
export function itemCounter(hold: Pick<TextHold, 'count'>, form: ItemForm): CountItem {
  let resultBytes = 0;
  return (key, values = 0) => {
    // A string needs two bytes for each character if one of them does.
    let bytes = ITEM_BYTES[form] + 2 * key.length + values * ITEM_BYTES.value;
    if (resultBytes < MAX_RESULTS_BYTES) {
      resultBytes += RESULT_BYTES;
      bytes += RESULT_BYTES;
    }
    hold.count(bytes);
  };
}
