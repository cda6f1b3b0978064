/** The key that cannot be the name of a tensor: a batch sends its object in a separate request. */
import type { Objects, PutOptions, PutOutcome } from '../objects.ts';
import { METADATA } from '../safetensors/reader.ts';
import type { SizedBytes } from '../safetensors/writer.ts';
import type { CallOptions } from '../transport.ts';
import { type GetResult, type ItemResult, settled } from './results.ts';

export const RESERVED = METADATA;

export const getReserved = (
  objects: Pick<Objects, 'get'>,
  options: CallOptions,
): Promise<GetResult> => settled(async () => ({ value: await objects.get(RESERVED, options) }));

export const putReserved = (
  objects: Pick<Objects, 'put'>,
  value: SizedBytes,
  options: PutOptions,
): Promise<ItemResult<{ outcome: PutOutcome }>> =>
  settled(async () => ({ outcome: await objects.put(RESERVED, value, options) }));
