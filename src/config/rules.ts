/** The rules between settings. Each names the settings that it reads, first the one to blame. */
import { isLoopback } from '../engine-config/host-text.ts';
import { leastHeapBytes, textBudgetBytes } from './heap.ts';
import { formatBytes, mebibyte } from './kinds.ts';
import { hostFault, type ListenAddress, schemeOf, writeListenAddress } from './listen.ts';
import { sharedPlaceFault } from './origins.ts';
import type { Config } from './table.ts';
import type { Rule } from './tls/rule.ts';
import { tlsRules } from './tls/tls-rules.ts';

/** The largest copy that the distributed engine's transport survives (docs/engine-facts.md §5). */
export const hugeObjectBytes = 499 * mebibyte;

/** Several beats, since each may be late. */
const leastHeartbeatMs = 2000;

export const rules: readonly Rule[] = [
  {
    settings: ['maxObjectBytes', 'arenaBytes'],
    fault({ maxObjectBytes, arenaBytes }) {
      if (maxObjectBytes <= arenaBytes) return undefined;
      return `an object of ${formatBytes(maxObjectBytes)} does not fit into the arena of ${formatBytes(arenaBytes)}; lower it, or raise --arena-bytes`;
    },
  },
  {
    settings: ['unsizedBytes', 'maxObjectBytes'],
    fault({ unsizedBytes, maxObjectBytes }) {
      if (unsizedBytes <= maxObjectBytes) return undefined;
      return `${formatBytes(unsizedBytes)} is more than the largest object, ${formatBytes(maxObjectBytes)}; lower it, or raise --max-object-bytes`;
    },
  },
  {
    settings: ['maxObjectBytes', 'engine', 'allowHugeObjects'],
    fault({ engine, maxObjectBytes, allowHugeObjects }) {
      if (engine === 'embedded' || maxObjectBytes <= hugeObjectBytes || allowHugeObjects) {
        return undefined;
      }
      return `on the distributed engine a copy of 500MiB or more between hosts loses the data and breaks the link; give at most ${formatBytes(hugeObjectBytes)}, or insist with --allow-huge-objects`;
    },
  },
  {
    settings: ['clientArenaBytes', 'arenaBytes'],
    fault({ clientArenaBytes, arenaBytes }) {
      if (clientArenaBytes <= arenaBytes) return undefined;
      return `a client cannot hold ${formatBytes(clientArenaBytes)} of an arena of ${formatBytes(arenaBytes)}; lower it, or raise --arena-bytes`;
    },
  },
  {
    settings: ['proxyProtocol', 'trustedProxy'],
    fault({ proxyProtocol, trustedProxy }) {
      if (!proxyProtocol || trustedProxy.length > 0) return undefined;
      return 'only trusted proxies may name the clients of their connections; give --trusted-proxy as well, or omit this';
    },
  },
  {
    settings: ['heartbeatMs'],
    fault({ heartbeatMs }) {
      if (heartbeatMs === 0 || heartbeatMs >= leastHeartbeatMs) return undefined;
      return `a worker beats every 500 ms, and a busy machine delays that; give at least ${leastHeartbeatMs}, or 0 to kill no worker`;
    },
  },
  {
    settings: ['maxHeapBytes', 'batchJsonBytes', 'sizeCacheKeys', 'engine'],
    fault(config) {
      const least = leastHeapBytes(config);
      if (config.maxHeapBytes >= least) return undefined;
      return `a heap of ${formatBytes(config.maxHeapBytes)} is too small for the ${formatBytes(textBudgetBytes(config))} that batches hold (8 x --batch-json-bytes)${config.engine === 'embedded' ? '' : ' and --size-cache-keys'}; give at least ${formatBytes(least)}, or lower --batch-json-bytes`;
    },
  },
  { settings: ['host'], fault: ({ host }) => hostFault(host, '127.0.0.1 or ::1') },
  {
    settings: ['host', 'insecure', 'tokenFile'],
    fault({ host, insecure, tokenFile }) {
      if (hostFault(host, '') !== undefined) return undefined;
      const isOpen = isLoopback(host) || insecure || tokenFile !== undefined;
      return isOpen ? undefined : exposed([host]);
    },
  },
  {
    settings: ['listen', 'insecure', 'tokenFile', 'tlsClientCa'],
    fault({ listen, insecure, tokenFile, tlsClientCa }) {
      if (insecure || tokenFile !== undefined) return undefined;
      const isProtected = (place: ListenAddress): boolean =>
        schemeOf(place) === 'tls' && tlsClientCa !== undefined;
      const open = reachablePlaces(listen).filter((place) => !isProtected(place));
      return open.length === 0 ? undefined : exposed(open.map(writeListenAddress));
    },
  },
  { settings: ['listen'], fault: ({ listen }) => sharedPlaceFault(listen) },
  {
    settings: ['protect', 'tokenFile', 'tlsClientCa'],
    fault({ protect, tokenFile, tlsClientCa }) {
      if (protect.length === 0 || tokenFile !== undefined || tlsClientCa !== undefined) {
        return undefined;
      }
      return 'nothing can be protected without tokens or client certificates; give --token-file or --tls-client-ca as well, or omit this';
    },
  },
  ...tlsRules,
];

const exposed = (places: readonly string[]): string =>
  `${places.join(' and ')} can be reached from other machines, and without tokens every client there may read, store and remove every object; listen on 127.0.0.1, or require tokens with --token-file FILE (memcache-gateway token create --help), or require client certificates with --listen tls:HOST:PORT and --tls-client-ca FILE, or accept that with --insecure (GATEWAY_INSECURE=1)`;

/**
 * Only users of this machine who may write the file reach a socket, and `admin:` shows nothing that
 * needs protection.
 */
const reachablePlaces = (listen: Config['listen']): ListenAddress[] =>
  listen.filter(
    (place) => 'host' in place && schemeOf(place) !== 'admin' && !isLoopback(place.host),
  );

/** Combinations that are allowed, and that an operator should know of. */
export function warningsAbout({ host, listen, tokenFile }: Config): string[] {
  if (tokenFile === undefined) return [];
  const plain = reachablePlaces(listen).filter((place) => schemeOf(place) !== 'tls');
  const reachable = plain.map(writeListenAddress);
  if (listen.length === 0 && !isLoopback(host)) reachable.push(host);
  if (reachable.length === 0) return [];
  return [
    `--token-file: tokens and objects travel unencrypted to ${reachable.join(' and ')}; encrypt them with --listen tls:HOST:PORT, or use this only in a network in which no other program can listen, or behind a proxy with TLS`,
  ];
}
