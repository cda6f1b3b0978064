import type { LayerCut } from '../../store/layers/layers.ts';
import type { ReadEncoder } from '../codec.ts';
import { failureTexts, quoted } from '../item-text.ts';

/**
 * `{"items":[{"key":"a","status":200,"code":0,"size":1,"value":"<base64>"}],"failed":0}`. An object that
 * is cut has `"layers":[{"layer":0,"size":1,"value":"<base64>"}]` instead of `value`.
 */
export function jsonEncoder(keys: readonly string[], cut?: LayerCut): ReadEncoder {
  if (cut !== undefined) return cutEncoder(keys, cut);
  const failureText = failureTexts();
  const comma = (index: number): string => (index === 0 ? '' : ',');
  return {
    contentType: 'application/json',
    contentLength: undefined,
    fileExtension: undefined,
    openBytes: 0,
    base64: true,
    open: () => [Buffer.from('{"items":[')],
    before: (index, size) =>
      `${comma(index)}{"key":${quoted(keys[index] as string)},"status":200,"code":0,"size":${size},"value":"`,
    after: () => '"}',
    failure: (index, problem) => comma(index) + failureText(keys[index] as string, problem),
    close: (failed) => `],"failed":${failed}}\n`,
  };
}

function cutEncoder(keys: readonly string[], { selected, totalBytes }: LayerCut): ReadEncoder {
  const whole = jsonEncoder(keys);
  const count = selected.length;
  return {
    ...whole,
    before(item, size) {
      const place = item % count;
      const index = (item - place) / count;
      const head = `{"key":${quoted(keys[index] as string)},"status":200,"code":0,"size":${totalBytes},"layers":[`;
      const opening = place === 0 ? `${index === 0 ? '' : ','}${head}` : ',';
      return `${opening}{"layer":${selected[place]?.number},"size":${size},"value":"`;
    },
    after: (item) => (item % count === count - 1 ? '"}]}' : '"}'),
  };
}

/** `{"key":"a","size":2,"layers":[{"layer":0,"size":1,"value":"<base64>"}]}` for one object. */
export function jsonLayersEncoder(key: string, { selected, totalBytes }: LayerCut): ReadEncoder {
  return {
    ...jsonEncoder([key]),
    open: () => [Buffer.from(`{"key":${quoted(key)},"size":${totalBytes},"layers":[`)],
    before: (place, size) =>
      `${place === 0 ? '' : ','}{"layer":${selected[place]?.number},"size":${size},"value":"`,
    after: () => '"}',
    close: () => ']}\n',
  };
}
