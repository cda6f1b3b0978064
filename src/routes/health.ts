import { ProblemError } from '../errors.ts';
import { requireAcceptable } from '../http/accept.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { parseQuery } from '../http/query.ts';
import { respond, respondJson } from '../http/respond.ts';
import { MmcError } from '../native/errors.ts';
import type { EngineClient } from '../native/types.ts';
import { problemOfCode, problemOfThrown } from '../store/engine-problem.ts';

/** Longest wait for the engine's proof of life, within a probe's usual timeout of a few seconds. */
const PROBE_DEADLINE_MS = 2_000;

export interface OperationsDeps {
  readonly engine: EngineClient;
  /** Metrics of all workers and the supervisor, added up. */
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
}

/** Serves one of them; what it throws or rejects with becomes the response. */
export type Operation = (
  gateway: Gateway,
  exchange: Exchange,
  query: string,
) => void | Promise<void>;

export interface Operations {
  readonly livez: Operation;
  readonly readyz: Operation;
  readonly metrics: Operation;
}

/** /livez, /readyz and /metrics. All readiness requests at one time share one probe of the engine. */
export function operations({ engine, metricsText }: OperationsDeps): Operations {
  let probing: Promise<void> | undefined;
  const probe = () => {
    probing ??= engine.probe(PROBE_DEADLINE_MS).finally(() => {
      probing = undefined;
    });
    return probing;
  };
  return {
    livez(gateway, exchange, query) {
      parseQuery(query, []);
      requireAcceptable(exchange.req, 'application/json');
      respondJson(gateway, exchange, { status: 'live' });
    },
    async readyz(gateway, exchange, query) {
      parseQuery(query, []);
      requireAcceptable(exchange.req, 'application/json');
      if (gateway.draining) throw notReady('The gateway is stopping.');
      // Of stuck batches others are free; that every slot is late, the probe finds (docs/decisions/0007).
      if (gateway.store.stuck) {
        throw notReady('Engine calls are past their deadline.');
      }
      try {
        await probe();
      } catch (error) {
        throw probeProblem(error);
      }
      respondJson(gateway, exchange, {
        status: 'ready',
        engine: engine.embedded ? 'embedded' : engine.library,
        device: engine.device,
        serviceId: engine.serviceId,
      });
    },
    async metrics(gateway, exchange, query) {
      parseQuery(query, []);
      const { contentType, body } = await metricsText();
      respond(
        gateway,
        exchange,
        200,
        [
          'Content-Type',
          contentType,
          'Content-Length',
          String(Buffer.byteLength(body)),
          'Cache-Control',
          'no-store',
          'X-Content-Type-Options',
          'nosniff',
        ],
        body,
      );
    },
  };
}

const notReady = (detail: string, cause?: unknown): ProblemError =>
  new ProblemError('not-ready', { detail, cause });

/** Readiness answers 503 whatever failed; the detail says what did. */
function probeProblem(error: unknown): ProblemError {
  const explained =
    error instanceof MmcError ? problemOfCode('read', error.code) : problemOfThrown('read', error);
  if (!(explained instanceof ProblemError)) {
    return notReady('The engine failed its probe.', error);
  }
  const { code, name } = explained.options;
  return new ProblemError('not-ready', {
    detail: `The engine failed its probe: ${explained.message}`,
    ...(code === undefined ? {} : { code }),
    ...(name === undefined ? {} : { name }),
    cause: error,
  });
}
