import { ProblemError } from '../../errors/problems.ts';
import { requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery, switched } from '../../http/request/query.ts';
import { respondJson, respondText } from '../../http/response/respond.ts';
import { authorizeVerbose } from '../../http/security/authorize.ts';
import { MmcError } from '../../native/abi/errors.ts';
import type { Arena } from '../../native/abi/types.ts';
import { isRefusing } from '../../scheduler/arena-room.ts';
import type { CircuitBreaker } from '../../scheduler/circuit-breaker.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';
import { problemOfCode, problemOfThrown } from '../../store/engine-problem.ts';
import type { Handler } from '../handler.ts';
import { type LogLevels, readLogLevel, writeLogLevel } from './log-level.ts';

/** Longest wait for the engine, shorter than the few seconds that a health check usually allows. */
const PROBE_DEADLINE_MS = 2_000;

/** The supervisor's report on all workers. */
interface PoolReport {
  readonly ready: boolean;
  /** Why the pool is ready or not, in a sentence. */
  readonly detail: string;
  readonly clients: readonly object[];
}

export interface OperationsDeps extends LogLevels {
  readonly scheduler: Pick<Scheduler, 'probe' | 'arena' | 'engine'>;
  readonly circuit: Pick<CircuitBreaker, 'openReason'>;
  readonly arenaWaitMs: number;
  /** The sums of the metrics of all workers and the supervisor. */
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
  readonly poolReport: () => Promise<PoolReport>;
  /** Whether the gateway is ready only when all workers are. */
  readonly needsAll: boolean;
}

export type Operations = Readonly<
  Record<'livez' | 'readyz' | 'metrics' | 'clients' | 'getLogLevel' | 'setLogLevel', Handler>
>;

/** /livez, /readyz, /metrics, /v1/clients and /v1/admin/log-level. */
export const operations = (deps: OperationsDeps): Operations => ({
  livez(exchange) {
    parseQuery(exchange.query, []);
    requireAcceptable(exchange.req, 'application/json');
    respondJson(exchange, { status: 'live' });
  },
  readyz: readiness(deps),
  getLogLevel: readLogLevel(deps),
  setLogLevel: writeLogLevel(deps, noReport),
  async clients(exchange) {
    parseQuery(exchange.query, []);
    requireAcceptable(exchange.req, 'application/json');
    const { clients } = await deps.poolReport().catch(noReport);
    respondJson(exchange, { clients });
  },
  async metrics(exchange) {
    parseQuery(exchange.query, []);
    const { contentType, body } = await deps.metricsText();
    respondText(exchange, contentType, body);
  },
});

/** Requests that arrive while the engine is being probed wait for the same probe. */
function readiness({
  scheduler,
  circuit,
  arenaWaitMs,
  poolReport,
  needsAll,
}: OperationsDeps): Handler {
  let probing: Promise<void> | undefined;
  async function requireReady(draining: boolean): Promise<void> {
    if (draining) throw notReady('The gateway is stopping.');
    if (circuit.openReason !== undefined) throw notReady(circuit.openReason);
    probing ??= scheduler.probe(PROBE_DEADLINE_MS).finally(() => {
      probing = undefined;
    });
    await probing.catch((error: unknown) => {
      throw probeProblem(error);
    });
  }
  return async (exchange) => {
    const verbose = switched('verbose', parseQuery(exchange.query, ['verbose']).verbose);
    if (verbose) authorizeVerbose(exchange);
    requireAcceptable(exchange.req, 'application/json');
    const pool = verbose || needsAll ? await poolReport().catch(noReport) : undefined;
    try {
      await requireReady(exchange.gateway.draining);
      if (needsAll && pool?.ready === false) throw notReady(pool.detail);
    } catch (error) {
      throw verbose && pool !== undefined ? withClients(error, pool) : error;
    }
    const { arena, engine } = scheduler;
    respondJson(exchange, {
      status: 'ready',
      engine: engine.embedded ? 'embedded' : engine.library,
      device: engine.device,
      serviceId: engine.serviceId,
      ...(verbose && pool !== undefined
        ? {
            detail: pool.detail,
            arena: arenaReport(arena, arenaWaitMs),
            clients: pool.clients,
          }
        : {}),
    });
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
  throw notReady('The supervisor does not respond.', cause);
};

/** Adds the state of each worker to a problem. */
const withClients = (error: unknown, { clients }: PoolReport): unknown =>
  error instanceof ProblemError
    ? new ProblemError(error.slug, { ...error.options, members: { clients } })
    : error;

/** The response is 503 for every failure; the detail names the failure. */
function probeProblem(error: unknown): ProblemError {
  const explained =
    error instanceof MmcError ? problemOfCode('read', error.errno) : problemOfThrown('read', error);
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
