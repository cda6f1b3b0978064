import type { Exchange } from '../../http/exchange.ts';
import { evaluateConditions, isConditional } from '../../http/request/conditional.ts';
import { emptyHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';

/**
 * Evaluates the conditions of a GET or HEAD. True when it has responded with 304.
 * @throws ProblemError `precondition-failed`
 */
export async function isNotModified(exchange: Exchange): Promise<boolean> {
  const { gateway, req, key } = exchange;
  if (!isConditional(req.headers)) return false;
  const exists = await gateway.store.exists(key);
  if (evaluateConditions(req.headers, 'GET', exists) === 'proceed') return false;
  respond(exchange, { status: 304, fixed: emptyHeaders, headers: [] });
  return true;
}
