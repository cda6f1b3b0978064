import { ProblemError } from '../errors/problems.ts';
import { checkTransferEncoding } from '../http/request/framing.ts';
import { parseTarget } from '../http/request/target.ts';
import { checkHead } from '../http/security/head.ts';
import {
  type FallbackGuards,
  type FallbackRequest,
  type FallbackResponse,
  ok,
  type PoolFacts,
  refusal,
  requireOperation,
} from './fallback-responses.ts';

/** Whether the gateway is ready, and why. */
export interface Readiness {
  readonly ready: boolean;
  readonly detail: string;
}

export type AdminFacts = Pick<PoolFacts, 'metricsText'> & {
  readonly readiness: () => Readiness;
};

const paths = ['/livez', '/readyz', '/metrics'] as const;

/**
 * The response on a listener of `admin:`: health and metrics, for a kubelet and Prometheus, and nothing else.
 * The supervisor gives it, so that it does not depend on any worker. No token is needed.
 */
export async function adminResponse(
  { req, requestId, expectation }: FallbackRequest,
  { guard, access }: FallbackGuards,
  { metricsText, readiness }: AdminFacts,
): Promise<FallbackResponse> {
  try {
    checkHead(req, expectation, guard, access);
    checkTransferEncoding(req);
    const target = parseTarget(req.url ?? '/');
    const path = paths.find((known) => known === target.path);
    if (path === undefined) {
      throw new ProblemError('no-such-resource', {
        detail: `This listener serves only ${paths.join(', ')}. Objects are on the other listeners.`,
      });
    }
    requireOperation(req, target.query, []);
    if (path === '/metrics') {
      const { contentType, body } = await metricsText();
      return ok(contentType, body, requestId);
    }
    const status = path === '/livez' ? { status: 'live' } : requireReady(readiness());
    return ok('application/json', `${JSON.stringify(status)}\n`, requestId);
  } catch (error) {
    return refusal(req, requestId, error);
  }
}

function requireReady({ ready, detail }: Readiness): object {
  if (!ready) throw new ProblemError('not-ready', { detail });
  return { status: 'ready', detail };
}
