import type { ReadEncoder } from './codec.ts';
import { failureTexts, quoted } from './item-text.ts';

/** `{"items":[{"key":"a","status":200,"code":0,"size":1,"value":"<base64>"}],"failed":0}` */
export function jsonEncoder(keys: readonly string[]): ReadEncoder {
  const failureText = failureTexts();
  const comma = (index: number): string => (index === 0 ? '' : ',');
  return {
    contentType: 'application/json',
    contentLength: undefined,
    base64: true,
    open: () => Buffer.from('{"items":['),
    before: (index, size) =>
      `${comma(index)}{"key":${quoted(keys[index] as string)},"status":200,"code":0,"size":${size},"value":"`,
    after: () => '"}',
    failure: (index, problem) => comma(index) + failureText(keys[index] as string, problem),
    close: (failed) => `],"failed":${failed}}\n`,
  };
}
