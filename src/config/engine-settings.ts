import { MAX_CALL_SLOTS } from '../native/abi/limits.ts';
import { devices } from './devices.ts';
import {
  choice,
  gibibyte,
  httpUrl,
  integer,
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
