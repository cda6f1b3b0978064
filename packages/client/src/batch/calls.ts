import { type SizedBytes, safetensorsOf } from '../safetensors/writer.ts';
import { type Placement, queryOf } from '../target.ts';
import type { Call, CallOptions } from '../transport.ts';

export const SAFETENSORS_TYPE = 'application/vnd.safetensors';

/** An operation on keys only; the response is JSON, or a safetensors file for `get`. */
export const keysCall = (
  operation: 'get' | 'exists' | 'info' | 'remove',
  keys: readonly string[],
  { signal }: CallOptions,
  more: object = {},
): Call => ({
  method: 'POST',
  path: `/v1/batch/${operation}`,
  safe: operation !== 'remove',
  signal,
  body: JSON.stringify({ keys, ...more }),
  headers: {
    'Content-Type': 'application/json',
    Accept: operation === 'get' ? SAFETENSORS_TYPE : 'application/json',
  },
});

/** The keys must be unique, and none may be `__metadata__`. */
export const putCall = (
  values: Iterable<readonly [key: string, value: SizedBytes]>,
  { signal, ...placement }: Placement & CallOptions,
): Call => ({
  method: 'POST',
  path: `/v1/batch/put${queryOf(placement)}`,
  safe: false,
  signal,
  body: safetensorsOf(values),
  headers: { 'Content-Type': SAFETENSORS_TYPE, Accept: 'application/json' },
  // After it some values may be stored, and a retry would report them as existing.
  ...(placement.ifExists === undefined || placement.ifExists === 'fail' ? { final: [408] } : {}),
});
