/** Responses to batches of the client, in the form of the gateway, and its results in short. */
import type { GetResult } from '../../../packages/client/src/index.ts';
import { safetensorsFile, safetensorsOf } from '../bodies/safetensors.ts';
import { textOf } from '../bodies/text.ts';
import { type Answer, ok } from './scripted-client.ts';

/** A failed item. */
export const failure = (
  key: string,
  slug = 'object-not-found',
  status = 404,
  retryable = false,
) => ({
  ...{ key, status, code: -3102, name: 'MMC_UNMATCHED_KEY' },
  ...{ type: `/problems/${slug}`, detail: 'why', retryable },
});

export const answer = (items: readonly object[]): Answer =>
  ok(JSON.stringify({ items, failed: 0 }), { 'X-Request-Id': 'r-1' });

/** A safetensors response with these values and failures. */
export function tensorsAnswer(
  values: Readonly<Record<string, string>>,
  failures: object[] = [],
): Buffer {
  const bytes = Object.entries(values).map(([name, text]) => [name, Buffer.from(text)] as const);
  const plain = safetensorsOf(bytes);
  const start = 8 + Number(plain.readBigUInt64LE());
  const header = JSON.parse(plain.toString('utf8', 8, start)) as object;
  const metadata = { failures: JSON.stringify(failures), failed: String(failures.length) };
  return safetensorsFile({ __metadata__: metadata, ...header }, plain.subarray(start));
}

export const tensors = (...given: Parameters<typeof tensorsAnswer>): Answer =>
  ok(tensorsAnswer(...given), { 'X-Request-Id': 'r-1' });

/** The value, or the kind of problem. */
export const reported = (result: GetResult) =>
  result.ok ? textOf(result.value) : `(${result.error.problem})`;
export type Keyed = GetResult & { readonly key: string };
export const keyed = ({ key, ...result }: Keyed) => [key, reported(result)];
