import { formatBytes } from '../config/kinds.ts';
import { table } from '../config/table.ts';
import type { WorkerFacts } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import type { DescriptorLimit } from '../os/descriptors.ts';
import type { Listeners } from '../supervisor/listeners/listeners.ts';

/** The facts in the ready line. */
export interface ReadyFacts {
  readonly version: string;
  readonly format: 'json' | 'pretty';
  /** The facts of the worker that made the gateway ready. */
  readonly worker: WorkerFacts;
  readonly listeners: Listeners;
  readonly report: PoolReport;
  readonly descriptors: DescriptorLimit | undefined;
}

/** The line with the addresses of the gateway: as text, or as JSON for scripts. */
export function readyLine(facts: ReadyFacts): string {
  return facts.format === 'json' ? jsonLine(facts) : textLine(facts);
}

function jsonLine({ version, worker, listeners, report, descriptors }: ReadyFacts): string {
  const { addresses, adminAddresses, tcp } = listeners;
  const ready = report.clients.filter(({ state }) => state === 'ready');
  return JSON.stringify({
    level: 'info',
    time: new Date().toISOString(),
    pid: process.pid,
    // With socket files alone there is no URL for a browser.
    address: tcp?.address ?? addresses[0],
    addresses,
    ...(adminAddresses.length > 0 ? { adminAddresses } : {}),
    docs: tcp && docsUrl(tcp),
    host: tcp?.host,
    port: tcp?.port,
    engine: worker.engine,
    arenaBytes: worker.arenaBytes,
    devices: ready.map(({ device }) => device),
    serviceIds: ready.map(({ serviceId }) => serviceId),
    // A worker that has died in between is started again.
    starting: report.clients.length - ready.length,
    ...descriptors,
    version,
    startMs: Math.round(performance.now()),
    msg: 'ready',
  });
}

function textLine({ version, worker, listeners, report, descriptors }: ReadyFacts): string {
  const { addresses, adminAddresses, tcp } = listeners;
  const ready = report.clients.filter(({ state }) => state === 'ready');
  const devices = ready.map(({ device }) => device);
  const starting = report.clients.length - ready.length;
  const several = devices.length > 1;
  const docs = tcp === undefined ? '' : ` (try ${docsUrl(tcp)})`;
  const parts = [
    worker.engine === 'embedded' ? 'the embedded engine' : `engine ${worker.engine}`,
    `${several ? 'devices' : 'device'} ${table.devices.kind.write(devices)}`,
    `arena ${formatBytes(worker.arenaBytes)}${several ? ' each' : ''}`,
    `started in ${Math.round(performance.now())} ms`,
    ...(descriptors ? [`at most ${descriptors.maxConnections} connections`] : []),
    ...(adminAddresses.length > 0 ? [`health and metrics at ${adminAddresses.join(', ')}`] : []),
  ];
  const others = starting === 0 ? '' : `; still starting: ${starting}`;
  return `memcache-gateway ${version} is ready at ${addresses.join(', ')}${docs}: ${parts.join(', ')}${others}`;
}

const docsUrl = ({ address }: { readonly address: string }): string => `${address}/docs`;
