import { ProblemError } from '../errors.ts';
import { evaluateConditions, requiresAbsence } from '../http/conditional.ts';
import type { DigestCheck } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import type { PutQuery } from '../http/placement.ts';
import { respond } from '../http/respond.ts';
import { encodeKey } from '../http/target.ts';
import type { Block } from '../native/types.ts';
import type { WriteOutcome } from '../store/object-store.ts';

/** What is to be stored, and what must hold of its bytes. */
export interface Put extends PutQuery {
  readonly key: string;
  readonly digest?: DigestCheck | undefined;
}

/**
 * The condition is judged before the body is received, and what absence it asks for, by the put:
 * `receive` gets it with what is to be done about an object that is there.
 */
export async function putConditionally<P extends Put>(
  gateway: Gateway,
  exchange: Exchange,
  put: P,
  receive: (put: P) => Promise<void>,
): Promise<void> {
  const { headers } = exchange.req;
  evaluateConditions(headers, 'PUT', await gateway.store.exists(put.key));
  if (!requiresAbsence(headers)) return receive(put);
  try {
    await receive({ ...put, ifExists: 'fail' });
  } catch (error) {
    throw failedCondition(error);
  }
}

/** Stores the first `bytes` of a block, which it owns from here, and answers. */
export function storeBody(
  gateway: Gateway,
  exchange: Exchange,
  { key, options, ifExists, digest }: Put,
  block: Block,
  bytes: number,
): void | Promise<void> {
  let written: WriteOutcome | Promise<WriteOutcome> | undefined;
  try {
    if (bytes === 0) throw new ProblemError('empty-object');
    digest?.verify();
    written = gateway.store.write(key, block, bytes, options, ifExists);
  } finally {
    if (!(written instanceof Promise)) block.release();
  }
  if (!(written instanceof Promise)) return answer(gateway, exchange, key, written);
  return written
    .finally(() => block.release())
    .then((outcome) => answer(gateway, exchange, key, outcome));
}

/** The object was absent when the request came, but another writer was quicker. */
function failedCondition(error: unknown): unknown {
  if (!(error instanceof ProblemError && error.slug === 'object-exists')) return error;
  return new ProblemError('precondition-failed', {
    ...error.options,
    detail: 'If-None-Match: * asks that there be no object with this key, and one has just come.',
  });
}

function answer(gateway: Gateway, exchange: Exchange, key: string, outcome: WriteOutcome): void {
  const head = ['Content-Length', '0', 'Memcache-Outcome', outcome, 'Cache-Control', 'no-store'];
  if (outcome === 'created') head.push('Location', `/v1/objects/${encodeKey(key)}`);
  respond(gateway, exchange, outcome === 'created' ? 201 : 200, head);
}
