/** /metrics for the whole pool: the workers' metrics added up, and the supervisor's own. */
import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import type { MetricJson } from '../pool/protocol.ts';
import type { PoolSamples, Rendered } from '../pool/scrape.ts';
import type { PoolNumbers } from '../pool/supervisor-options.ts';

/** Adds up by each metric's own rule (sum, first, average …), as prom-client's cluster support does. */
export async function renderPool(samples: PoolSamples, own: PoolNumbers): Promise<Rendered> {
  const registry = ownRegistry(own);
  const gone = addUp(samples.gone.map(counted));
  const goneJson = (await gone.getMetricsAsJSON()) as unknown as MetricJson[];
  const sum = addUp([...samples.live, ...samples.silent.map(counted), goneJson]);
  return {
    contentType: registry.contentType,
    body: `${await registry.metrics()}\n${await sum.metrics()}`,
    gone: goneJson,
  };
}

const addUp = (all: readonly MetricJson[][]): Registry => AggregatorRegistry.aggregate([...all]);

/** What only grows, and stays true when who has counted it is gone. */
const counted = (metrics: readonly MetricJson[]): MetricJson[] =>
  metrics.filter(({ type }) => type === 'counter' || type === 'histogram');

/** Made anew for each scrape: the supervisor counts in plain numbers, and loads prom-client late. */
function ownRegistry(own: PoolNumbers): Registry {
  const { slots, standbyAnswers, standbyConnections, waitingConnections } = own;
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['device'];
  const up = new Gauge({
    name: 'memcache_gateway_worker_up',
    help: 'Whether the worker of a device is ready and answers; 0 when its engine calls hang.',
    labelNames,
    registers,
  });
  const restarts = new Counter({
    name: 'memcache_gateway_worker_restarts_total',
    help: 'Workers started in the place of a dead one.',
    labelNames,
    registers,
  });
  const connections = new Counter({
    name: 'memcache_gateway_worker_connections_total',
    help: 'Connections handed over to the worker of a device.',
    labelNames,
    registers,
  });
  const standby = new Counter({
    name: 'memcache_gateway_standby_connections_total',
    help: 'Connections answered by the supervisor, because no worker was ready or took them in time.',
    registers,
  });
  const answers = new Counter({
    name: 'memcache_gateway_standby_answers_total',
    help: 'Requests answered by the supervisor, by status.',
    labelNames: ['status'],
    registers,
  });
  const waiting = new Gauge({
    name: 'memcache_gateway_waiting_connections',
    help: 'Connections that wait for a worker to take them.',
    registers,
  });
  for (const slot of slots) {
    const labels = { device: slot.device };
    up.set(labels, slot.serving && slot.state === 'ready' ? 1 : 0);
    restarts.inc(labels, slot.restarts);
    connections.inc(labels, slot.handedOver);
  }
  for (const [status, count] of standbyAnswers) answers.inc({ status }, count);
  waiting.set(waitingConnections);
  standby.inc(standbyConnections);
  return registry;
}
