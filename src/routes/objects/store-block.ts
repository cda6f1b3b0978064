import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { evaluateConditions, requiresAbsence } from '../../http/request/conditional.ts';
import type { PutQuery } from '../../http/request/placement.ts';
import { encodeKey } from '../../http/request/target.ts';
import { emptyHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';
import type { Block } from '../../native/abi/types.ts';
import type { WriteOutcome } from '../../store/object-store.ts';

/**
 * Evaluates the conditions of a PUT before `receive` receives the body. The put itself checks again
 * that the object is absent, when the request requires that.
 */
export async function putConditionally(
  exchange: Exchange,
  put: PutQuery,
  receive: (put: PutQuery) => Promise<void>,
): Promise<void> {
  const { gateway, req, key } = exchange;
  evaluateConditions(req.headers, 'PUT', await gateway.store.exists(key));
  if (!requiresAbsence(req.headers)) return receive(put);
  try {
    await receive({ ...put, ifExists: 'fail' });
  } catch (error) {
    throw failedCondition(error);
  }
}

/** Stores the first `bytes` of a block, which it owns from here, and responds. */
export function storeBlock(
  exchange: Exchange,
  { options, ifExists }: PutQuery,
  block: Block,
  bytes: number,
): void | Promise<void> {
  const { gateway, key, req } = exchange;
  let written: WriteOutcome | Promise<WriteOutcome> | undefined;
  try {
    written = gateway.store.write(key, block, bytes, options, ifExists, req.socket);
  } finally {
    if (!(written instanceof Promise)) block.release();
  }
  if (!(written instanceof Promise)) return respondStored(exchange, written);
  return written.finally(() => block.release()).then((outcome) => respondStored(exchange, outcome));
}

/** The object was absent at first, and another writer stored it since. */
function failedCondition(error: unknown): unknown {
  if (!(error instanceof ProblemError && error.slug === 'object-exists')) return error;
  return new ProblemError('precondition-failed', {
    ...error.options,
    detail:
      'If-None-Match: * requires that no object has this key, and another client has just stored one.',
  });
}

function respondStored(exchange: Exchange, outcome: WriteOutcome): void {
  const headers = ['Content-Length', '0', 'Memcache-Outcome', outcome];
  const isNew = outcome === 'created';
  if (isNew) headers.push('Location', `/v1/objects/${encodeKey(exchange.key)}`);
  respond(exchange, { status: isNew ? 201 : 200, fixed: emptyHeaders, headers });
}
