/** The key that cannot be the name of a tensor: a batch sends its object in a separate request. */
import { failedItem, type GetItem, gotItem, type PutItem } from './batch-items.ts';
import { GatewayError } from './gateway-error.ts';
import type { Objects, Outcome, PutOptions } from './objects.ts';
import { METADATA } from './safetensors-reader.ts';
import type { SizedBytes } from './safetensors-writer.ts';
import type { CallOptions } from './transport.ts';

export const RESERVED = METADATA;

export const getReserved = (
  objects: Pick<Objects, 'get'>,
  options: CallOptions,
): Promise<GetItem> => itemOf(async () => gotItem(RESERVED, await objects.get(RESERVED, options)));

export const putReserved = (
  objects: Pick<Objects, 'put'>,
  value: SizedBytes,
  options: PutOptions,
): Promise<PutItem> =>
  itemOf(async () => {
    const outcome = await objects.put(RESERVED, value, options);
    return { key: RESERVED, ...ANSWERS[outcome], outcome };
  });

/** The result in the form of an item of a batch put. */
const ANSWERS = {
  created: { status: 201, code: 0 },
  kept: { status: 200, code: -3006 },
  replaced: { status: 200, code: 0 },
} as const satisfies Record<Outcome, object>;

async function itemOf<Item>(work: () => Promise<Item>) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GatewayError) return failedItem(RESERVED, error.problem);
    throw error;
  }
}
