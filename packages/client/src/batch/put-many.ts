import { GatewayError } from '../gateway-error.ts';
import type { Objects, PutOutcome } from '../objects.ts';
import type { SizedBytes } from '../safetensors/writer.ts';
import type { Placement } from '../target.ts';
import type { CallOptions, Transport } from '../transport.ts';
import { putCall } from './calls.ts';
import { outcomes } from './readings.ts';
import { putReserved, RESERVED } from './reserved-key.ts';
import { failed, type ItemResult, readResults } from './results.ts';

export interface PutManyOptions extends Placement, CallOptions {}

export type PutResult = ItemResult<{ outcome: PutOutcome }>;

/** The gateway's result for a duplicate key in JSON and multipart. */
const namedBefore = (): PutResult =>
  failed(
    new GatewayError({
      problem: 'object-exists',
      status: 409,
      detail: 'The batch names this key twice. The first value is used.',
      retryable: false,
      type: '/problems/object-exists',
    }),
  );

/** A safetensors file has unique names, so only the first value of a key is sent. */
export async function putMany(
  transport: Transport,
  objects: Pick<Objects, 'put'>,
  entries: Iterable<readonly [key: string, value: SizedBytes]>,
  options: PutManyOptions,
): Promise<PutResult[]> {
  const given = [...entries];
  const firsts = new Map<string, SizedBytes>();
  const isFirst = given.map(([key, value]) => {
    if (firsts.has(key)) return false;
    firsts.set(key, value);
    return true;
  });
  const reserved = firsts.get(RESERVED);
  firsts.delete(RESERVED);
  const names = [...firsts.keys()];
  const results = await transport(putCall(firsts, options), (response) =>
    readResults(response, names, outcomes),
  );
  const stored = new Map(names.map((name, at) => [name, results[at]]));
  if (reserved !== undefined) stored.set(RESERVED, await putReserved(objects, reserved, options));
  return given.map(([key], at) =>
    isFirst[at] === true ? (stored.get(key) as PutResult) : namedBefore(),
  );
}
