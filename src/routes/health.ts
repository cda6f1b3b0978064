import { ProblemError } from '../errors.ts';
import { requireAcceptable } from '../http/accept.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { parseQuery, switched } from '../http/query.ts';
import { respond, respondJson } from '../http/respond.ts';
import { MmcError } from '../native/errors.ts';
import type { Arena, EngineClient } from '../native/types.ts';
import { isRefusing } from '../store/arena-room.ts';
import type { Circuit } from '../store/circuit.ts';
import { problemOfCode, problemOfThrown } from '../store/engine-problem.ts';

/** Longest wait for the engine's proof of life, within a probe's usual timeout of a few seconds. */
const PROBE_DEADLINE_MS = 2_000;

/** What the supervisor says of all workers. */
interface PoolReport {
  readonly ready: boolean;
  /** Why, in a sentence. */
  readonly detail: string;
  readonly clients: readonly object[];
}

export interface OperationsDeps {
  readonly engine: EngineClient;
  readonly circuit: Pick<Circuit, 'openReason'>;
  readonly arenaWaitMs: number;
  /** Metrics of all workers and the supervisor, added up. */
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
  readonly poolReport: () => Promise<PoolReport>;
  /** Whether readiness is that of all workers. */
  readonly needsAll: boolean;
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
  readonly clients: Operation;
}

/** /livez, /readyz, /metrics and /v1/clients. All readiness requests at one time share one probe of the engine. */
export function operations(deps: OperationsDeps): Operations {
  const { engine, circuit, arenaWaitMs, metricsText, poolReport, needsAll } = deps;
  let probing: Promise<void> | undefined;
  const probe = () => {
    probing ??= engine.probe(PROBE_DEADLINE_MS).finally(() => {
      probing = undefined;
    });
    return probing;
  };
  async function requireReady(gateway: Gateway): Promise<void> {
    if (gateway.draining) throw notReady('The gateway is stopping.');
    if (circuit.openReason !== undefined) throw notReady(circuit.openReason);
    try {
      await probe();
    } catch (error) {
      throw probeProblem(error);
    }
  }
  return {
    livez(gateway, exchange, query) {
      parseQuery(query, []);
      requireAcceptable(exchange.req, 'application/json');
      respondJson(gateway, exchange, { status: 'live' });
    },
    async readyz(gateway, exchange, query) {
      const verbose = switched('verbose', parseQuery(query, ['verbose']).verbose);
      requireAcceptable(exchange.req, 'application/json');
      const pool = verbose || needsAll ? await poolReport().catch(noReport) : undefined;
      try {
        await requireReady(gateway);
        if (needsAll && pool?.ready === false) throw notReady(pool.detail);
      } catch (error) {
        throw verbose && pool !== undefined ? withClients(error, pool) : error;
      }
      respondJson(gateway, exchange, {
        status: 'ready',
        engine: engine.embedded ? 'embedded' : engine.library,
        device: engine.device,
        serviceId: engine.serviceId,
        ...(verbose && pool !== undefined
          ? {
              detail: pool.detail,
              arena: arenaReport(engine.arena, arenaWaitMs),
              clients: pool.clients,
            }
          : {}),
      });
    },
    async clients(gateway, exchange, query) {
      parseQuery(query, []);
      requireAcceptable(exchange.req, 'application/json');
      const { clients } = await poolReport().catch(noReport);
      respondJson(gateway, exchange, { clients });
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

/** Small requests are served while an arena refuses large ones, so this does not change readiness. */
function arenaReport(arena: Arena, arenaWaitMs: number): object {
  const { totalBytes, usedBytes, waiters } = arena.stats();
  const { refusingForMs } = arena.pressure();
  const refusing = isRefusing(arena, arenaWaitMs);
  return {
    refusing,
    ...(refusing ? { refusingForMs: Math.round(refusingForMs ?? 0) } : {}),
    totalBytes,
    usedBytes,
    waiting: waiters,
  };
}

const notReady = (detail: string, cause?: unknown): ProblemError =>
  new ProblemError('not-ready', { detail, cause });

const noReport = (cause: unknown): never => {
  throw notReady('The supervisor does not answer.', cause);
};

/** Says of all workers what is the matter with each. */
const withClients = (error: unknown, { clients }: PoolReport): unknown =>
  error instanceof ProblemError
    ? new ProblemError(error.slug, { ...error.options, members: { clients } })
    : error;

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
