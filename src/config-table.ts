/**
 * Every setting, once: its flag and environment variable follow from its name (`arenaBytes` is
 * `--arena-bytes` and `GATEWAY_ARENA_BYTES`); the help, the documentation and the type of the
 * configuration follow from this table.
 */

import { devices } from './config-devices.ts';
import type { Kind } from './config-kinds.ts';
import {
  choice,
  gibibyte,
  integer,
  kibibyte,
  list,
  mebibyte,
  path,
  size,
  tebibyte,
  text,
  toggle,
} from './config-kinds.ts';
import { layouts } from './config-layouts.ts';
import { listenAddresses, socketFileMode } from './config-listen.ts';
import { MAX_CALL_SLOTS } from './native/limits.ts';
import { featureNameFault } from './node-internals/feature-names.ts';

export const groups = [
  'Listening',
  'Engine',
  'Memory',
  'Requests',
  'Browsers',
  'Process',
  'Logs',
] as const;

/** From the one that logs most. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export interface Setting<T> {
  readonly group: (typeof groups)[number];
  readonly kind: Kind<T>;
  readonly fallback: T;
  /** One or two sentences; units and what happens at the limit. */
  readonly help: string;
}

/** Ties the default's type to the kind's, so that a table row can't contradict itself. */
function setting<T>(
  group: (typeof groups)[number],
  kind: Kind<T>,
  fallback: NoInfer<T>,
  help: string,
): Setting<T> {
  return { group, kind, fallback, help };
}

export const table = {
  port: setting(
    'Listening',
    integer(0, 65_535),
    8080,
    'TCP port; 0 takes any free one, which the ready line names.',
  ),
  host: setting(
    'Listening',
    text('ADDRESS', 'an address or name'),
    '127.0.0.1',
    'Address or host name to listen on. Anything but loopback needs --insecure while there are no tokens.',
  ),
  listen: setting(
    'Listening',
    listenAddresses(),
    [],
    'Where to listen, in the place of --host and --port, which are short for one: addresses or names with ports, and socket files (unix:/run/gateway.sock). All of them serve the same.',
  ),
  socketMode: setting(
    'Listening',
    socketFileMode(),
    0o660,
    'Mode of socket files: who may write may connect. The owner and group are those of the process.',
  ),
  insecure: setting(
    'Listening',
    toggle(),
    false,
    'Serve everyone who can reach the address: without tokens, they may read, store and remove every object.',
  ),

  engine: setting(
    'Engine',
    text('embedded|PATH', '`embedded`, or a path'),
    'embedded',
    'The embedded engine, or the path of libmf_memcache.so.',
  ),
  enginePreload: setting(
    'Engine',
    path(),
    undefined,
    'libpython3.N.so.1.0 to load before the engine when it needs one; found by itself in the usual places.',
  ),
  devices: setting(
    'Engine',
    devices(),
    [0],
    'Devices, as numbers and ranges: 0-7, or 0,2,5. Each has a worker process with an engine client and an arena of its own.',
  ),
  readyWhen: setting(
    'Engine',
    choice('any', 'all'),
    'any',
    'Whether the gateway is ready when the worker of any device is, or not before those of all are.',
  ),
  poolBytes: setting(
    'Engine',
    size(mebibyte, tebibyte),
    gibibyte,
    'What each client of the embedded engine contributes to the pool, in /dev/shm. The distributed engine takes it from its own configuration file.',
  ),
  callSlots: setting(
    'Engine',
    integer(1, MAX_CALL_SLOTS),
    16,
    'Engine calls in flight at a time. Probes, and calls in the place of lost ones, come on top, to 31 in all; the distributed engine breaks from 32.',
  ),
  deadlineMs: setting(
    'Engine',
    integer(10, 3_600_000, 'MS'),
    10_000,
    'Longest wait for one engine call, its wait for a slot included; then 504. Past it a request begins no further call, but the one that stores what a replacement has removed.',
  ),
  initDeadlineMs: setting(
    'Engine',
    integer(10, 3_600_000, 'MS'),
    90_000,
    'Longest wait for the engine to start; then its worker is started anew. It takes 0.2 to 20 s, and 60 s to find that there is no meta service.',
  ),
  slowReadMs: setting(
    'Engine',
    integer(1, 3_600_000, 'MS'),
    1500,
    'A read that takes longer is not trusted: it is repeated once, then answered with 503. Keep it below the read lease of the pool, ock.mmc.meta.lease_ttl_ms of the meta service, which is 2000 unless configured. The embedded engine has no leases.',
  ),

  degradedLimitMs: setting(
    'Engine',
    integer(0, 86_400_000, 'MS'),
    600_000,
    'How long a worker whose engine calls hang is kept, since its memory holds objects of the pool; then it is killed and started anew. 0 keeps it.',
  ),

  coalescing: setting(
    'Engine',
    toggle(),
    true,
    'Let operations that come while engine calls are under way leave together as one call. The embedded engine is called at once instead.',
  ),
  singleFlight: setting(
    'Engine',
    toggle(),
    true,
    'Let requests that come during a read of an object share the next read of it.',
  ),
  staleReadMs: setting(
    'Engine',
    integer(0, 60_000, 'MS'),
    0,
    'How old shared bytes may be: a GET may receive a block of at least 64 KiB that is still being sent to another client, up to so long after its read began, if the object still exists with the same size. 0 never serves bytes that were read before the request came. Without --single-flight it has no effect.',
  ),
  sizeCacheKeys: setting(
    'Engine',
    integer(0, 10_000_000, 'N'),
    65_536,
    'Objects whose size is remembered, so that a read need not ask for it first; 0 remembers none. The embedded engine is always asked.',
  ),

  arenaBytes: setting(
    'Memory',
    size(mebibyte, tebibyte),
    gibibyte,
    'Memory for values on their way between sockets and engine, in each worker. A reserve for values of at most 64KiB comes on top: a sixteenth of it, at most 64MiB.',
  ),
  arenaWaitMs: setting(
    'Memory',
    integer(0, 600_000, 'MS'),
    10_000,
    'Longest wait for room in the arena; then 503. An arena that has refused requests for longer is reported by /readyz?verbose and a metric.',
  ),
  maxObjectBytes: setting(
    'Memory',
    size(1, 4 * gibibyte),
    256 * mebibyte,
    'Largest object; beyond it 413. By default never more than the arena. Above 499MiB on the distributed engine: see --allow-huge-objects.',
  ),
  allowHugeObjects: setting(
    'Memory',
    toggle(),
    false,
    'Allow objects above 499MiB on the distributed engine, where one copy of 500MiB to another host loses the data and breaks the link.',
  ),
  unsizedBytes: setting(
    'Memory',
    size(1, 4 * gibibyte),
    64 * mebibyte,
    'Largest body that comes without Content-Length; beyond it 413. By default never more than the largest object.',
  ),
  layout: setting(
    'Requests',
    layouts(),
    [],
    'A name for the sizes of layers, which requests may then give as layout=NAME: deepseek-r1=131072x61,16384x61 is 61 layers of 131,072 bytes and 61 of 16,384. At most 255 layers.',
  ),
  batchKeys: setting(
    'Memory',
    integer(1, 10_000_000),
    131_072,
    'Keys in one batch request, and layers of their values in its JSON or in a safetensors answer; beyond it 413.',
  ),
  batchJsonBytes: setting(
    'Memory',
    size(64 * kibibyte, 64 * mebibyte),
    32 * mebibyte,
    'Largest JSON body of a batch request, or header of a safetensors body; beyond it 413. Eight times as much is held by all of them together, items and headers of answers included; beyond that 503. One client holds at most half of that.',
  ),
  maxHeapBytes: setting(
    'Memory',
    size(64 * mebibyte, 64 * gibibyte),
    704 * mebibyte,
    'Largest JavaScript heap of a worker (V8 old space). By default 192MiB, sixteen times --batch-json-bytes, and on the distributed engine 640 bytes for each of --size-cache-keys; a --max-old-space-size in NODE_OPTIONS takes the place of the default.',
  ),

  minRateBytes: setting(
    'Requests',
    size(0, gibibyte),
    64 * kibibyte,
    'Bytes a second that a client must send or read, over any ten seconds, or be cut off; 16 times as many while requests wait for room in the arena. 0 asks for none, and leaves --idle-timeout-ms.',
  ),
  idleTimeoutMs: setting(
    'Requests',
    integer(10, 3_600_000, 'MS'),
    30_000,
    'Longest silence of a client in the middle of a request or response.',
  ),
  keepAliveMs: setting(
    'Requests',
    integer(10, 3_600_000, 'MS'),
    75_000,
    'How long an idle connection stays open for its next request.',
  ),
  fastLane: setting(
    'Requests',
    toggle(),
    true,
    'Serve object routes before Express; off sends them through Express, with the same answers.',
  ),

  allowHost: setting(
    'Browsers',
    list('NAME,…', 'host names', hostNameFault),
    [],
    'Names, besides loopback and IP addresses, that a request may give as its Host.',
  ),
  allowOrigin: setting(
    'Browsers',
    list('ORIGIN,…', 'origins', originFault),
    [],
    'Origins whose requests are admitted, such as https://console.example; CORS headers are not sent yet.',
  ),

  settingsFile: setting(
    'Process',
    path(),
    undefined,
    'A file of VARIABLE=value lines, for what neither a flag nor the environment gives. SIGHUP reads it again and applies --layout and --log-level.',
  ),
  heartbeatMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    10_000,
    'A worker whose event loop has not turned for so long is killed and started anew; one in a debugger is not. At least 2000; 0 never does it.',
  ),
  drainDelayMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    0,
    'How long a gateway that is told to stop still serves everything, while `/readyz` answers 503 so that load balancers turn away, and each answer ends its connection.',
  ),
  drainMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    20_000,
    'How long SIGTERM and SIGINT then let requests in flight finish.',
  ),
  disableNodeFeatures: setting(
    'Process',
    list('FEATURE,…|all', 'names of features', featureNameFault),
    [],
    'Shortcuts past the documented Node API that are not used: direct-read, body-tap, one-write, socket-descriptor, write-queue, half-open, connection-checks, bare-handles, or all. Each is probed when a worker starts; this is for a Node version in which one misbehaves all the same.',
  ),
  debugArena: setting(
    'Process',
    toggle(),
    false,
    'Poison freed blocks and check every release; for tests, slow.',
  ),

  logLevel: setting('Logs', choice(...logLevels), 'info', 'Least level that is logged.'),
  logFormat: setting(
    'Logs',
    choice('auto', 'json', 'pretty'),
    'auto',
    'JSON lines, or text for people; auto is text on a terminal.',
  ),
  accessLog: setting(
    'Logs',
    toggle(),
    false,
    'A line for every request, not only for failed and slow ones.',
  ),
  slowRequestMs: setting(
    'Logs',
    integer(0, 3_600_000, 'MS'),
    1000,
    'A request that takes longer is logged; 0 turns that off.',
  ),
} satisfies Record<string, Setting<unknown>>;

export type Table = typeof table;
export type SettingName = keyof Table;

/** The effective configuration: frozen, every member present. */
export type Config = {
  readonly [Name in SettingName]: Table[Name] extends Setting<infer T> ? T : never;
};

export const settingNames = Object.keys(table) as readonly SettingName[];

export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(name: string): string {
  return `GATEWAY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function hostNameFault(word: string): string | undefined {
  if (/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(word)) return undefined;
  return `"${word}" is not a host name; give names without scheme, port or wildcard`;
}

function originFault(word: string): string | undefined {
  const origin = URL.canParse(word) ? new URL(word).origin : undefined;
  if (origin !== undefined && origin !== 'null' && origin === word.toLowerCase()) return undefined;
  const advice =
    origin === undefined || origin === 'null' ? 'such as https://console.example' : origin;
  return `"${word}" is not an origin; give scheme, host and port alone: ${advice}`;
}
