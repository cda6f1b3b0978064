/**
 * The messages between supervisor and worker, each as a table of checks for its members, from which its
 * type follows. The receiver ignores an invalid message, so that a broken worker cannot break the
 * supervisor.
 */
import type { Layout } from '../config/layouts.ts';
import { type Config, settingNames, table } from '../config/table.ts';
import type { TlsMaterial } from '../tls/material.ts';
import { isScope } from '../tokens/token.ts';
import type { PoolHistory } from './history.ts';
import {
  isRegionCounts,
  isRegionReply,
  isRegionRequest,
  isRegionSpec,
  isWorkerRegionState,
} from './regions.ts';
import type { PoolReport } from './report.ts';
import type { RuntimeSettings } from './runtime-settings.ts';

/** The word on the command line that makes the program a worker; only the supervisor uses it. */
export const workerRole = 'worker';

type Check<T> = (value: unknown) => value is T;
type Shapes = Readonly<Record<string, Readonly<Record<string, Check<unknown>>>>>;
type MessageOf<S extends Shapes> = {
  [Type in keyof S]: { readonly type: Type } & {
    readonly [Member in keyof S[Type]]: S[Type][Member] extends Check<infer T> ? T : never;
  };
}[keyof S];

const isString = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(isCount);
const isStage = (value: unknown): value is DrainStage => value === 'requests' || value === 'engine';
const isMetrics = (value: unknown): value is MetricJson[] =>
  Array.isArray(value) && value.every((metric) => isRecord(metric) && isString(metric['name']));
const isReport = (value: unknown): value is PoolReport =>
  isRecord(value) &&
  isBoolean(value['ready']) &&
  isString(value['detail']) &&
  Array.isArray(value['clients']);
const isHistory = (value: unknown): value is PoolHistory =>
  isRecord(value) && Array.isArray(value['points']) && Array.isArray(value['media']);
const isConfig = (value: unknown): value is Config =>
  isRecord(value) &&
  settingNames.every((name) => {
    const { fallback } = table[name];
    return fallback === undefined || typeof value[name] === typeof fallback;
  });
const isLayouts = (value: unknown): value is readonly Layout[] =>
  Array.isArray(value) &&
  value.every(
    (layout) => isRecord(layout) && isString(layout['name']) && isCounts(layout['sizes']),
  );
const isTokens = (value: unknown): value is RuntimeSettings['tokens'] =>
  value === null ||
  (Array.isArray(value) &&
    value.every(
      (token) =>
        isRecord(token) &&
        isString(token['id']) &&
        isString(token['sha256']) &&
        // Negative before 1970: the token file accepts every time.
        (token['expiresMs'] === null || Number.isSafeInteger(token['expiresMs'])) &&
        Array.isArray(token['scopes']) &&
        token['scopes'].every(isScope) &&
        Array.isArray(token['prefixes']) &&
        token['prefixes'].every(isString),
    ));
const isTls = (value: unknown): value is TlsMaterial | null =>
  value === null ||
  (isRecord(value) &&
    [value['cert'], value['key'], value['ticketKeys'], value['sessionIdContext']].every(isString) &&
    (value['clientCa'] === null || isString(value['clientCa'])));
const isLogLevel = (value: unknown): value is Config['logLevel'] =>
  isString(value) && 'value' in table.logLevel.kind.read(value);

/** The response to GET /metrics. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/**
 * The time that a worker has for its engine after its requests: at most half for running calls, the rest
 * to uninitialise it, which usually takes 2–3 s (docs/engine-facts.md §3).
 */
export const closeEngineMs = 8000;

/** The stages of a draining worker: it waits for its requests, then for the uninitialisation of its engine. */
export type DrainStage = 'requests' | 'engine';

/** One metric of prom-client's `getMetricsAsJSON`; only prom-client reads its content. */
export interface MetricJson {
  readonly name: string;
  readonly type?: unknown;
  readonly aggregator?: unknown;
}

const toWorkerShapes = {
  /** The first message; the worker opens the engine of its device. It has inherited this number of listeners. */
  start: {
    config: isConfig,
    device: isCount,
    listeners: isCount,
    tokens: isTokens,
    tls: isTls,
  },
  /** Returns the handle of `echo`. */
  echoed: {},
  /** Carries a connection as a bare handle that must not be read yet; the response is `accept`. */
  offer: { id: isCount },
  /** The connection belongs to the worker, which may read it. Carries it if `offer` could not. `tls`: its listener has TLS. */
  commit: { id: isCount, tls: isBoolean },
  /** Another worker gets the connection: this one closes its copy and responds with `released`. */
  revoke: { id: isCount },
  /** The worker may accept until it has accepted `connections` since it got this epoch. A new epoch is confirmed with `accepted`. */
  permit: { epoch: isCount, connections: isCount },
  /** Requests the metrics of the worker; the response is `collected` with the same id. */
  collect: { id: isCount },
  /** The response to `scrape`: the text for /metrics. */
  metrics: { id: isCount, contentType: isString, body: isString },
  /** The response to `survey`. */
  surveyed: { id: isCount, report: isReport },
  /** The response to `review`. */
  reviewed: { id: isCount, history: isHistory },
  /** Map this memory of a client; the response is `region`. */
  mapRegion: { spec: isRegionSpec },
  /** Unmap it once its transfers have ended; the response is `region`, with `draining` first if there are any. */
  unmapRegion: { generation: isCount },
  /** Requests the transfers in flight; the response is `regionCounts` with the same id. */
  countRegions: { id: isCount },
  /** The response to `askRegions`. */
  regionsReply: { id: isCount, reply: isRegionReply },
  /** A shutdown is near: readiness fails and responses close their connections, but all are served. */
  unready: {},
  /**
   * Settings that have changed at run time; the response is `reconfigured`. The hashes of tokens and the private
   * key pass only through this channel.
   */
  reconfigure: {
    id: isCount,
    layout: isLayouts,
    logLevel: isLogLevel,
    tokens: isTokens,
    tls: isTls,
  },
  /** The response to `setLogLevel`: devices whose ready worker has not confirmed the level in time. */
  logLevelSet: { id: isCount, pendingDevices: isCounts },
  /** Finish the requests in flight within this time; `leave` follows when all workers have. */
  drain: { deadlineMs: isCount },
  /** No worker needs the objects in its memory any more: a drained worker uninitialises its engine. */
  leave: {},
};

const fromWorkerShapes = {
  /** The engine is open, and the worker accepts connections. */
  ready: {
    engine: isString,
    embedded: isBoolean,
    device: isCount,
    serviceId: isCount,
    arenaBytes: isCount,
    /** Whether `offer` may carry a bare handle. */
    bareHandles: isBoolean,
    /** Whether it can accept connections on the listeners that it has inherited. */
    accepts: isBoolean,
  },
  /** Carries a bare handle, before `ready`; the response is `echoed`. */
  echo: {},
  /** The worker is about to end; `permanent` if a restart cannot help. */
  failed: { message: isString, permanent: isBoolean },
  /** The heartbeat: engine calls in flight, those past their deadline, and whether any are refused. */
  heartbeat: { inFlight: isCount, late: isCount, stuck: isBoolean, inspected: isBoolean },
  accept: { id: isCount },
  released: { id: isCount },
  /**
   * Connections that it has accepted by itself: in this epoch, and since its start. If it is full, it
   * accepts none until it has confirmed another epoch.
   */
  accepted: { epoch: isCount, connections: isCount, total: isCount, isFull: isBoolean },
  /** `accepted` are the connections that it has accepted by itself since its start. */
  collected: { id: isCount, metrics: isMetrics, accepted: isCount },
  /** The worker serves GET /metrics and requests the sum over all workers. */
  scrape: { id: isCount },
  /** The worker requests the state of the whole pool. */
  survey: { id: isCount },
  /** Requests this log level for all processes. */
  setLogLevel: { id: isCount, level: isLogLevel },
  /** The worker uses the settings of `reconfigure`. */
  reconfigured: { id: isCount },
  /** The worker requests the last 15 minutes of the pool. */
  review: { id: isCount },
  /** The state of a region in this worker, after each change; `detail` is for clients, and may be empty. */
  region: { generation: isCount, state: isWorkerRegionState, detail: isString },
  regionCounts: { id: isCount, counts: isRegionCounts },
  /** What a client wants of the regions; the response is `regionsReply` with the same id. */
  askRegions: { id: isCount, request: isRegionRequest },
  /** The worker got SIGTERM from outside, perhaps together with the whole process group. */
  asked: {},
  /** Sent when a drain begins, for any reason, and repeatedly during it. */
  draining: { stage: isStage, requests: isCount, calls: isCount },
};

export type ToWorker = MessageOf<typeof toWorkerShapes>;
export type FromWorker = MessageOf<typeof fromWorkerShapes>;
export type WorkerFacts = Extract<FromWorker, { type: 'ready' }>;

export function parseToWorker(value: unknown): ToWorker | undefined {
  return matches(toWorkerShapes, value) ? value : undefined;
}

export function parseFromWorker(value: unknown): FromWorker | undefined {
  return matches(fromWorkerShapes, value) ? value : undefined;
}

function matches<S extends Shapes>(shapes: S, value: unknown): value is MessageOf<S> {
  if (!isRecord(value) || !isString(value['type']) || !Object.hasOwn(shapes, value['type'])) {
    return false;
  }
  const members = Object.entries(shapes[value['type']] ?? {});
  return members.every(([member, check]) => check(value[member]));
}
