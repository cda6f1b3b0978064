/** The text of docs/metrics.md, from the metrics that a worker and the supervisor register; run with tsx. */
import { renderPool } from '../../src/metrics/aggregation.ts';
import { clientMetrics } from '../../src/metrics/clients.ts';
import { engineMetrics } from '../../src/metrics/engine.ts';
import { handshakeMetrics } from '../../src/metrics/handshakes.ts';
import { HttpMetrics } from '../../src/metrics/http.ts';
import { nodeFeatureMetrics } from '../../src/metrics/node-features.ts';
import { OutcomeMetrics } from '../../src/metrics/outcomes.ts';
import { poolMetrics } from '../../src/metrics/pool.ts';
import { storeMetrics } from '../../src/metrics/store.ts';
import { textMetrics } from '../../src/metrics/text.ts';
import { workerMetrics } from '../../src/metrics/worker.ts';

const head = `# Metrics

<!-- Generated from src/metrics by \`npm run generate\`; edit the sources, not this page. -->

\`GET /metrics\` has these metrics in the text format of Prometheus
([how to scrape them](getting-started.md#prometheus)). Each is the sum over all workers, unless it has the label
\`device\` or is one of the pool, which all workers share. Counters and histograms keep what ended workers have counted.
No label contains a key.

The unit is the suffix of the name: \`_seconds\`, \`_bytes\`, or a plain number. A name with \`_total\` is a counter.
`;

/** Anything that a source is asked for at registration; nothing is read before a scrape. */
const source = () => {
  const any = new Proxy(() => undefined, { get: () => any, set: () => true });
  return any;
};

/** In the order of the page: the function that registers each group. */
const groups = [
  { title: 'Requests', register: (sink) => new HttpMetrics(sink, () => 0) },
  { title: 'Clients', register: (sink) => clientMetrics(sink, source(), source(), source()) },
  { title: 'Items and problems', register: (sink) => new OutcomeMetrics(sink, () => 0) },
  { title: 'Store', register: (sink) => storeMetrics(sink, source(), source()) },
  { title: 'Engine and arena', register: (sink) => engineMetrics(sink, source(), () => false) },
  { title: 'Worker', register: (sink) => workerMetrics(sink, source()) },
  { title: 'Pool', register: (sink) => poolMetrics(sink, source()) },
  { title: 'Memory of texts', register: (sink) => textMetrics(sink, source()) },
  { title: 'Node features', register: (sink) => nodeFeatureMetrics(sink, () => []) },
];

const noWorkers = {
  version: '1.2.3',
  workers: [],
  fallbackResponses: new Map(),
  fallbackConnections: 0,
  waitingConnections: 0,
  descriptorShare: 0,
  tokenFile: { isCurrent: true, tokens: 0, failures: 0, readMs: 0 },
  tlsFiles: { isCurrent: true, failures: 0, readMs: 0, expiresMs: 0 },
};

/** These exist only with --token-file. */
const isOfTokens = ({ name }) => name.startsWith('memcache_gateway_token_file_');
/** These exist only with a listener with TLS. */
const isOfTls = ({ name }) => name.startsWith('memcache_gateway_tls_');

/** The metrics of the supervisor, from the text that it renders without workers. */
async function ownOfSupervisor() {
  const { body } = await renderPool({ live: [], silent: [], ended: [] }, noWorkers);
  return [...body.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)/gm)].map(
    ([, name, help, type]) => ({
      ...{ name, help, type },
    }),
  );
}

function registered(register) {
  const metrics = [];
  register({ registerMetric: (metric) => metrics.push(metric) });
  return Promise.all(
    metrics.map(({ name, help, type, get }) => (type ? { name, help, type } : get())),
  );
}

const row = ({ name, type, help }) => `| \`${name}\` | ${type} | ${help.replaceAll('|', '\\|')} |`;

const section = (title, metrics) =>
  ['', `## ${title}`, '', '| metric | type | meaning |', '|---|---|---|', ...metrics.map(row)].join(
    '\n',
  );

const tail = `
## Process

The metrics that begin with \`process_\` and \`nodejs_\` are the default metrics of prom-client for the workers: processor
time, memory, descriptors, delay of the event loop, collections of the heap. The supervisor is not among them.
`;

/** All sections of the page. */
export async function metricsPage() {
  const own = await ownOfSupervisor();
  const others = own.filter((metric) => !isOfTokens(metric) && !isOfTls(metric));
  const sections = [section('Workers and connections', others)];
  for (const { title, register } of groups) {
    sections.push(section(title, await registered(register)));
  }
  sections.push(section('Tokens, with --token-file', own.filter(isOfTokens)));
  const handshakes = await registered((sink) => handshakeMetrics(sink, []));
  sections.push(section('TLS, with --tls-cert', [...handshakes, ...own.filter(isOfTls)]));
  return `${head}${sections.join('\n')}\n${tail}`;
}
