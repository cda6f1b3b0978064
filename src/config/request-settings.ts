import { proxyFault } from './clients/proxies.ts';
import { gibibyte, integer, kibibyte, list, mebibyte, size, tebibyte, toggle } from './kinds.ts';
import { layouts } from './layouts.ts';
import { setting } from './setting.ts';

/** Limits of requests, and the rules that admit them. */
export const requestSettings = {
  arenaBytes: setting(
    'Memory',
    size(mebibyte, tebibyte),
    gibibyte,
    'Memory in each worker for values in transit between sockets and engine. A reserve for values of at most 64KiB is added: one sixteenth of it, at most 64MiB.',
  ),
  arenaWaitMs: setting(
    'Memory',
    integer(0, 600_000, 'MS'),
    10_000,
    'Longest wait for room in the arena; then 503. /readyz?verbose and a metric report an arena that has refused requests for longer than this.',
  ),
  putWaitMs: setting(
    'Memory',
    integer(0, 60_000, 'MS'),
    1000,
    'Longest wait of a put for an eviction in a full pool; then 507. Where the engine is known to evict nothing, a put gets 507 at once. Values that wait hold at most a quarter of the arena; a put beyond that gets 507 at once.',
  ),
  maxObjectBytes: setting(
    'Memory',
    size(1, 4 * gibibyte),
    256 * mebibyte,
    'Largest object; a larger one gets 413. The default is never more than the arena. For more than 499MiB on the distributed engine see --allow-huge-objects.',
  ),
  allowHugeObjects: setting(
    'Memory',
    toggle(),
    false,
    'Allow objects above 499MiB on the distributed engine. There, one copy of 500MiB or more to another host loses the data and breaks the link.',
  ),
  unsizedBytes: setting(
    'Memory',
    size(1, 4 * gibibyte),
    64 * mebibyte,
    'Largest request body without Content-Length; a larger one gets 413. The default is never more than the largest object.',
  ),
  batchKeys: setting(
    'Memory',
    integer(1, 10_000_000),
    131_072,
    'Most keys in one batch request. Also limits the layers of their values, in a JSON body and in a safetensors response. More get 413.',
  ),
  batchJsonBytes: setting(
    'Memory',
    size(64 * kibibyte, 64 * mebibyte),
    32 * mebibyte,
    'Largest JSON body of a batch request, and largest header of a safetensors body; a larger one gets 413. All batch requests together, including items and response headers, hold at most eight times as much; beyond that they get 503. One client holds at most half of that.',
  ),
  maxHeapBytes: setting(
    'Memory',
    size(64 * mebibyte, 64 * gibibyte),
    704 * mebibyte,
    'Largest JavaScript heap of a worker (V8 old space). Default: 192MiB, plus sixteen times --batch-json-bytes, plus 640 bytes for each of --size-cache-keys on the distributed engine. A --max-old-space-size in NODE_OPTIONS replaces the default.',
  ),

  layout: setting(
    'Requests',
    layouts(),
    [],
    'Named sizes of layers, for requests with layout=NAME. deepseek-r1=131072x61,16384x61 means 61 layers of 131,072 bytes, then 61 of 16,384. At most 255 layers.',
  ),
  minRateBytes: setting(
    'Requests',
    size(0, gibibyte),
    64 * kibibyte,
    'Bytes per second, over any ten seconds, that a client must send or read; a slower client is disconnected. Sixteen times as many while requests wait for room in the arena. 0 disables this check; --idle-timeout-ms still applies.',
  ),
  idleTimeoutMs: setting(
    'Requests',
    integer(10, 3_600_000, 'MS'),
    30_000,
    'Longest time without any bytes in the middle of a request or response; then the connection is closed.',
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
    'Serve object routes before Express. off sends them through Express, with the same responses.',
  ),

  clientInFlight: setting(
    'Clients',
    integer(0, 1_000_000),
    0,
    'Requests below `/v1/` that one client may have in flight in each worker; more get 429. A client is its token, else its client certificate, else its address. 0 sets no limit.',
  ),
  clientArenaBytes: setting(
    'Clients',
    size(64 * kibibyte, tebibyte),
    256 * mebibyte,
    'Bytes of the arena that one client may hold while others wait for room. A client that waits longer than --arena-wait-ms because it holds them gets 429. Default: a quarter of the arena.',
  ),
  clientBytesPerSecond: setting(
    'Clients',
    size(0, tebibyte),
    0,
    'Bytes of request and response bodies per second that one client may move in each worker, with the bytes of one second in reserve. The bytes of a request count when it ends; a client that has exceeded the rate gets 429 until the rate has made up for it. 0 sets no limit.',
  ),
  trustedProxy: setting(
    'Clients',
    list('CIDR,…', 'addresses, networks, or unix', proxyFault),
    [],
    'Proxies whose X-Forwarded-For names the address of the client: the rightmost address that is not one of them. unix stands for the programs that connect to socket files. Other requests come from the address that connects.',
  ),
  proxyProtocol: setting(
    'Clients',
    toggle(),
    false,
    'Each connection of a --trusted-proxy begins with a header of the PROXY protocol, version 2, which names the address of the client. The gateway closes such a connection if the header is malformed, longer than 4KiB or not complete after 5 seconds. Other connections have none.',
  ),

  allowHost: setting(
    'Browsers',
    list('NAME,…', 'host names', hostNameFault),
    [],
    'Names accepted in the Host header of a request, in addition to loopback names and IP addresses.',
  ),
  allowOrigin: setting(
    'Browsers',
    list('ORIGIN,…', 'origins', originFault),
    [],
    'Origins whose pages may use the gateway, such as https://console.example or https://*.example.com (CORS). Browsers send no cookies or other credentials of theirs; a page sends a token itself.',
  ),
};

function hostNameFault(word: string): string | undefined {
  if (/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(word)) return undefined;
  return `"${word}" is not a host name; give names without scheme, port or wildcard`;
}

function originFault(word: string): string | undefined {
  if (/:\/\/\*\.(?!localhost(:|$))[^.]*$/.test(word)) {
    return `"${word}" would allow every site below a top-level domain; name a domain: https://*.example.com`;
  }
  // The star stands for the names below a domain, and for nothing else.
  const plain = word.replace('://*.', '://');
  const isUrl = URL.canParse(plain) && !plain.includes('*');
  const origin = isUrl ? new URL(plain).origin : undefined;
  if (origin !== undefined && origin !== 'null' && origin === plain.toLowerCase()) return undefined;
  const advice =
    origin === undefined || origin === 'null' ? 'such as https://console.example' : origin;
  return `"${word}" is not an origin; give scheme, host and port alone: ${advice}`;
}
