import type { components } from '../generated/openapi.ts';
import { putCall } from './batch-calls.ts';
import { failedItem, type PutItem, readItems } from './batch-items.ts';
import type { Problem } from './gateway-error.ts';
import type { Objects } from './objects.ts';
import { putReserved, RESERVED } from './reserved-key.ts';
import type { SizedBytes } from './safetensors-writer.ts';
import type { Placement } from './target.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface BatchPutOptions extends Placement, CallOptions {}

/** The gateway's result for a duplicate key in JSON and multipart. */
const NAMED_BEFORE: Problem = {
  slug: 'object-exists',
  status: 409,
  detail: 'The batch names this key twice. The first value is used.',
  code: undefined,
  name: undefined,
  retryable: false,
  retryAfterMs: undefined,
  requestId: undefined,
};

/** A safetensors file has unique names, so only the first value of a key is sent. */
export async function batchPut(
  transport: Transport,
  objects: Pick<Objects, 'put'>,
  values: Iterable<readonly [key: string, value: SizedBytes]>,
  options: BatchPutOptions,
): Promise<PutItem[]> {
  const given = [...values];
  const firsts = new Map<string, SizedBytes>();
  const keys = given.map(([key, value]) => {
    if (firsts.has(key)) return undefined;
    firsts.set(key, value);
    return key;
  });
  const reserved = firsts.get(RESERVED);
  firsts.delete(RESERVED);
  const names = [...firsts.keys()];
  const items = await transport(putCall(firsts, options), (response) =>
    readItems<components['schemas']['BatchPutItem']>(response, names),
  );
  const stored = new Map(items.map((item) => [item.key, item]));
  if (reserved !== undefined) stored.set(RESERVED, await putReserved(objects, reserved, options));
  return given.map(([key], index) =>
    keys[index] === undefined ? failedItem(key, NAMED_BEFORE) : (stored.get(key) as PutItem),
  );
}
