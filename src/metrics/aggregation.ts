/** /metrics for all workers: the sums of their metrics, and the supervisor's own. */
import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import type { MetricJson } from '../messages/protocol.ts';
import type { WorkerState } from '../messages/state.ts';
import type { PoolSamples, Rendered } from '../supervisor/scrape.ts';
import type { PoolNumbers } from '../supervisor/supervisor-options.ts';
import { handshakesOfSupervisor } from './handshakes.ts';
import { tlsFileMetrics } from './tls-files.ts';
import { tokenFileMetrics } from './token-file.ts';

/** The numbers of the supervisor, and the version of the gateway. */
export type OwnNumbers = PoolNumbers & { readonly version: string };

/** Sums by the rule of each metric (sum, first, average …), like the cluster support of prom-client. */
export async function renderPool(samples: PoolSamples, own: OwnNumbers): Promise<Rendered> {
  const registry = ownRegistry(own);
  const registryOfEnded = addUp(samples.ended.map(counted));
  const ended = (await registryOfEnded.getMetricsAsJSON()) as unknown as MetricJson[];
  // Not among `ended`, which the next scrape adds up again.
  const handshakes = own.handshakeFaults && [handshakesOfSupervisor(own.handshakeFaults)];
  const sum = addUp([
    ...[...samples.live, ...samples.silent.map(counted), ended],
    ...(handshakes === undefined ? [] : [handshakes]),
  ]);
  return {
    contentType: registry.contentType,
    body: `${await registry.metrics()}\n${await sum.metrics()}`,
    ended,
  };
}

const addUp = (all: readonly MetricJson[][]): Registry =>
  AggregatorRegistry.aggregate(all.map(withExactCounters));

/** 2^-20 s is about a microsecond; sums of its multiples are exact up to 2^33 s. */
const STEPS = 2 ** 20;

/**
 * Rounds counters to multiples of a power of two, so that their sum does not depend on the order. That
 * order changes when a worker ends; a sum that then falls by its last digit is a restart to Prometheus,
 * which counts the whole sum again.
 */
const withExactCounters = (metrics: readonly MetricJson[]): MetricJson[] =>
  metrics.map((metric) => {
    const { type, values = [] } = metric as MetricJson & { readonly values?: { value: number }[] };
    if (type !== 'counter' && type !== 'histogram') return metric;
    const exact = ({ value }: { value: number }) => Math.round(value * STEPS) / STEPS;
    return { ...metric, values: values.map((each) => ({ ...each, value: exact(each) })) };
  });

/**
 * Metrics that only grow: they stay true when the worker that counted them has ended. Not the figures of the
 * pool (pool.ts), which no worker counts: another worker has newer ones.
 */
const counted = (metrics: readonly MetricJson[]): MetricJson[] =>
  metrics.filter(
    ({ type, aggregator }) =>
      aggregator !== 'first' && (type === 'counter' || type === 'histogram'),
  );

/** So that each state has a series, also without a worker in it. */
const noWorkers: Readonly<Record<WorkerState, number>> = {
  ...{ starting: 0, ready: 0, degraded: 0, draining: 0, dead: 0, stopped: 0 },
};

/** Created for each scrape: the supervisor counts in plain numbers, and loads prom-client late. */
function ownRegistry(own: OwnNumbers): Registry {
  const registry = new Registry();
  const registers = [registry];
  const build = new Gauge({
    name: 'memcache_gateway_build_info',
    help: 'Always 1; the labels have the versions of the gateway and of Node.',
    labelNames: ['version', 'node_version'],
    registers,
  });
  build.set({ version: own.version, node_version: process.versions.node }, 1);
  workersOf(registry, own);
  connectionsOf(registry, own);
  if (own.descriptorShare !== undefined) {
    new Gauge({
      name: 'memcache_gateway_supervisor_descriptors_ratio',
      help: 'Part of its file descriptors (ulimit -n) that the supervisor has open, from 0 to 1. Connections use them while no worker is ready.',
      registers,
    }).set(own.descriptorShare);
  }
  if (own.tokenFile !== undefined) tokenFileMetrics(registry, own.tokenFile);
  if (own.tlsFiles !== undefined) tlsFileMetrics(registry, own.tlsFiles);
  return registry;
}

function workersOf(registry: Registry, { workers }: OwnNumbers): void {
  const registers = [registry];
  const states = new Gauge({
    name: 'memcache_gateway_workers',
    help: 'Workers by state: starting, ready, degraded (engine calls hang), draining, dead (the next one is due), stopped.',
    labelNames: ['state'],
    registers,
  });
  for (const [state, none] of Object.entries(noWorkers)) states.set({ state }, none);
  const labelNames = ['device'];
  const up = new Gauge({
    name: 'memcache_gateway_worker_up',
    help: '1 if the worker of a device is ready and responds; 0 otherwise, for example when its engine calls hang.',
    labelNames,
    registers,
  });
  const restarts = new Counter({
    name: 'memcache_gateway_worker_restarts_total',
    help: 'Workers started to replace a dead one.',
    labelNames,
    registers,
  });
  const connections = new Counter({
    name: 'memcache_gateway_worker_connections_total',
    help: 'Connections that the worker of a device has accepted or got from the supervisor.',
    labelNames,
    registers,
  });
  for (const worker of workers) {
    const labels = { device: worker.device };
    states.inc({ state: worker.state });
    up.set(labels, worker.serving && worker.state === 'ready' ? 1 : 0);
    restarts.inc(labels, worker.restarts);
    connections.inc(labels, worker.handedOver);
  }
}

/** Connections of the supervisor. */
function connectionsOf(registry: Registry, own: OwnNumbers): void {
  const { fallbackResponses, fallbackConnections, waitingConnections } = own;
  const registers = [registry];
  const fallback = new Counter({
    name: 'memcache_gateway_fallback_connections_total',
    help: 'Connections served by the supervisor itself, because no worker was ready or accepted them in time.',
    registers,
  });
  const responses = new Counter({
    name: 'memcache_gateway_fallback_responses_total',
    help: 'Responses sent by the supervisor itself, because no worker was ready or accepted in time, by status.',
    labelNames: ['status'],
    registers,
  });
  const waiting = new Gauge({
    name: 'memcache_gateway_waiting_connections',
    help: 'Connections that the supervisor has accepted and that wait for a worker.',
    registers,
  });
  for (const [status, count] of fallbackResponses) responses.inc({ status }, count);
  waiting.set(waitingConnections);
  fallback.inc(fallbackConnections);
}
