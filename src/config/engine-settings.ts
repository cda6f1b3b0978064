import { MAX_CALL_SLOTS } from '../native/abi/limits.ts';
import { devices } from './devices.ts';
import {
  choice,
  gibibyte,
  httpUrl,
  integer,
  list,
  mebibyte,
  path,
  poolName,
  size,
  tebibyte,
  text,
  toggle,
} from './kinds.ts';
import { setting } from './setting.ts';

/** The engine, and the calls to it. */
export const engineSettings = {
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
    'Path of libpython3.N.so.1.0, loaded before an engine that needs it. Without this setting the gateway searches the usual places.',
  ),
  devices: setting(
    'Engine',
    devices(),
    [0],
    'Devices, as numbers and ranges: 0-7, or 0,2,5. Each device has its own worker process, with its own engine client and arena.',
  ),
  readyWhen: setting(
    'Engine',
    choice('any', 'all'),
    'any',
    'The gateway is ready when the worker of any device is ready, or only when the workers of all devices are.',
  ),
  poolBytes: setting(
    'Engine',
    size(mebibyte, tebibyte),
    gibibyte,
    'Memory in /dev/shm that each client of the embedded engine contributes to the pool. The distributed engine reads its own configuration file instead.',
  ),
  poolName: setting(
    'Engine',
    poolName(),
    undefined,
    'Name of the pool of the embedded engine. Other programs of the same user that set MMC_EMBEDDED_POOL to this name share its objects. Without a name, only this gateway uses the pool.',
  ),
  metaUrl: setting(
    'Engine',
    httpUrl(),
    undefined,
    'HTTP address of the meta service of the distributed engine (ock.mmc.meta_service.metrics_url). The gateway asks it what the pool holds, for /v1/cluster, /v1/keys and /metrics. The embedded engine reports this by itself.',
  ),
  callSlots: setting(
    'Engine',
    integer(1, MAX_CALL_SLOTS),
    16,
    'Engine calls in flight at the same time. Probes and calls that replace lost ones are allowed on top, up to 31 in all; the distributed engine fails from 32. How many of them each kind of small operation uses is found by measurement.',
  ),
  deadlineMs: setting(
    'Engine',
    integer(10, 3_600_000, 'MS'),
    10_000,
    'Longest time of one engine call, including the wait for a slot; then 504. After it a request starts no more engine calls, except the put that stores an object which a replacement has removed.',
  ),
  initDeadlineMs: setting(
    'Engine',
    integer(10, 3_600_000, 'MS'),
    90_000,
    'Longest time for the engine to start; then the gateway restarts the worker. A start takes 0.2 to 20 s; a missing meta service is detected after 60 s.',
  ),
  slowReadMs: setting(
    'Engine',
    integer(1, 3_600_000, 'MS'),
    1500,
    'Longest read that is trusted. A slower read is repeated once; if it is slow again, the response is 503. Keep this below the read lease of the pool (ock.mmc.meta.lease_ttl_ms of the meta service, 2000 by default). The embedded engine has no leases.',
  ),
  degradedLimitMs: setting(
    'Engine',
    integer(0, 86_400_000, 'MS'),
    600_000,
    'How long the gateway keeps a worker whose engine calls hang, because its memory holds objects of the pool. After that the worker is killed and restarted. 0 keeps it without limit.',
  ),
  coalescing: setting(
    'Engine',
    toggle(),
    true,
    'Combine operations that arrive while engine calls are in flight into one call. The embedded engine is called at once instead.',
  ),
  singleFlight: setting(
    'Engine',
    toggle(),
    true,
    'Requests that arrive while an object is being read share the next read of it.',
  ),
  staleReadMs: setting(
    'Engine',
    integer(0, 60_000, 'MS'),
    0,
    'Maximum age of shared bytes. A GET may receive an object of at least 64 KiB that is still being sent to another client, if its read began at most this long ago and the object still exists with the same size. With 0, a GET never gets bytes that were read before the request arrived. No effect without --single-flight.',
  ),
  sizeCacheKeys: setting(
    'Engine',
    integer(0, 10_000_000, 'N'),
    65_536,
    'Number of objects whose size the gateway remembers, which saves a query before each read. 0 turns this off. Not used with the embedded engine.',
  ),
};

/** Memory of clients on this machine that the gateway maps (docs/shared-buffers.md). */
export const bufferSettings = {
  sharedBuffers: setting(
    'Shared buffers',
    choice('off', 'on', 'loopback'),
    'off',
    'Let clients on this machine register their shared memory as buffers. on serves only clients of Unix sockets, whose user the kernel names. loopback serves clients of loopback addresses as well, whose user is not known.',
  ),
  sharedBufferNames: setting(
    'Shared buffers',
    list('PATTERN,…', 'names of shared memory; `*` stands for any characters', patternFault),
    ['/memcache-*'],
    'Shared memory that clients may register, by the name that shm_open takes. Memory of the embedded engine is always refused.',
  ),
  sharedBufferBytes: setting(
    'Shared buffers',
    size(4096, 16 * tebibyte),
    16 * gibibyte,
    'Most bytes of all registered buffers together; a registration beyond that gets 507.',
  ),
  sharedBufferOwners: setting(
    'Shared buffers',
    list('UID,…', 'user ids', userFault),
    [],
    'Users whose shared memory clients of loopback addresses may register. Without any, only that of the user of the gateway. A client of a Unix socket may always register its own memory, and no other.',
  ),
  sharedBufferCopies: setting(
    'Shared buffers',
    choice('auto', 'on', 'off'),
    'auto',
    'Copy the bytes of shared buffers through the arena instead of passing the memory of a client to the engine. auto does so with every engine but the embedded one, which is the only one known to survive that a client truncates its memory.',
  ),
};

function patternFault(word: string): string | undefined {
  if (!word.startsWith('/')) return `"${word}" does not begin with a slash; write /${word}`;
  if (/[\x00-\x1f\x7f]/.test(word)) return 'contains control characters';
  if (word.indexOf('/', 1) > 0) return `"${word}" has a second slash, which no shared memory has`;
  if (word === '/') return '"/" is no name; give one such as /memcache-*';
  return Buffer.byteLength(word) <= 256 ? undefined : 'has more than 256 bytes';
}

function userFault(word: string): string | undefined {
  const isUser = /^\d{1,10}$/.test(word) && Number(word) < 2 ** 32 - 1;
  return isUser ? undefined : `"${word}" is no user id; give numbers, as id -u prints them`;
}
