/**
 * The messages between supervisor and worker, each as a table of its members' checks, from which
 * its type follows. What does not pass is dropped by the receiver: a worker that lost its mind must
 * not take the supervisor along.
 */
import type { Layout } from '../config-layouts.ts';
import { type Config, settingNames, table } from '../config-table.ts';
import type { PoolReport } from './report.ts';

/** The word on the command line that makes the program a worker; only the supervisor gives it. */
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
const isStage = (value: unknown): value is DrainStage => value === 'requests' || value === 'engine';
const isMetrics = (value: unknown): value is MetricJson[] =>
  Array.isArray(value) && value.every((metric) => isRecord(metric) && isString(metric['name']));
const isReport = (value: unknown): value is PoolReport =>
  isRecord(value) &&
  isBoolean(value['ready']) &&
  isString(value['detail']) &&
  Array.isArray(value['clients']);
const isConfig = (value: unknown): value is Config =>
  isRecord(value) &&
  settingNames.every((name) => {
    const { fallback } = table[name];
    return fallback === undefined || typeof value[name] === typeof fallback;
  });
const isLayouts = (value: unknown): value is readonly Layout[] =>
  Array.isArray(value) &&
  value.every(
    (layout) =>
      isRecord(layout) &&
      isString(layout['name']) &&
      Array.isArray(layout['sizes']) &&
      layout['sizes'].every(isCount),
  );
const isLogLevel = (value: unknown): value is Config['logLevel'] =>
  isString(value) && 'value' in table.logLevel.kind.read(value);

/** The answer to GET /metrics. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/**
 * What a worker gets after its requests for its engine: half at most for calls that still run, the
 * rest to uninitialise it, which usually takes 2–3 s (engine.md §1).
 */
export const closeEngineMs = 8000;

/** What a draining worker waits for: requests to finish, then its engine to be uninitialised. */
export type DrainStage = 'requests' | 'engine';

/** One metric of prom-client's `getMetricsAsJSON`; only prom-client looks further into it. */
export interface MetricJson {
  readonly name: string;
  readonly type?: unknown;
}

const toWorkerShapes = {
  /** The first message; the worker opens the engine of its device. */
  start: { config: isConfig, device: isCount, version: isString },
  /** Returns the handle that `echo` has carried. */
  echoed: {},
  /** Carries a connection as a bare handle, of which nothing may be read yet; answered by `taken`. */
  connection: { id: isCount },
  /** The connection is the worker's: it may read. Carries it where `connection` could not. */
  yours: { id: isCount },
  /** The connection is somebody else's: the worker forgets it, and says `released`. */
  returned: { id: isCount },
  /** Asks for the worker's metrics; answered by `collected` with the same id. */
  collect: { id: isCount },
  /** The answer to `scrape`: the text for /metrics. */
  metrics: { id: isCount, contentType: isString, body: isString },
  /** The answer to `survey`. */
  surveyed: { id: isCount, report: isReport },
  /** A stop is near: readiness fails from now on, and answers end their connections; all is served. */
  unready: {},
  /** Settings that have changed while it runs. */
  reconfigure: { layout: isLayouts, logLevel: isLogLevel },
  /** Finish what is in flight, at most for so long; `leave` follows once all who end have. */
  drain: { deadlineMs: isCount },
  /** Nobody needs the objects in its memory any more: a worker that has drained uninitialises. */
  leave: {},
};

const fromWorkerShapes = {
  /** The engine is open and connections are welcome. */
  ready: {
    engine: isString,
    embedded: isBoolean,
    device: isCount,
    serviceId: isCount,
    arenaBytes: isCount,
    /** Whether `connection` may carry a bare handle. */
    bareHandles: isBoolean,
  },
  /** Carries a bare handle, before `ready`; answered by `echoed`. */
  echo: {},
  /** The worker is about to leave; `permanent` when starting it again cannot help. */
  failed: { message: isString, permanent: isBoolean },
  /** Its event loop turns; engine calls under way, those past their deadline, whether any are refused. */
  heartbeat: { inFlight: isCount, late: isCount, stuck: isBoolean, inspected: isBoolean },
  taken: { id: isCount },
  released: { id: isCount },
  collected: { id: isCount, metrics: isMetrics },
  /** The worker serves GET /metrics and wants the sum over all workers. */
  scrape: { id: isCount },
  /** The worker is asked about the whole pool. */
  survey: { id: isCount },
  /** Somebody has sent it SIGTERM, and perhaps the whole process group. */
  asked: {},
  /** Sent when a drain begins, for whatever reason, and again while it lasts. */
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
