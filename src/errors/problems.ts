/**
 * Every problem that a client can get: slug, status, title, help text, and whether a retry can succeed.
 * Slugs are a stable contract (`/problems/{slug}`); texts are not.
 */

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Meaning and solution, for /problems/{slug}. */
  readonly help: string;
  readonly retryable: boolean;
  /** Seconds for Retry-After; set for retryable problems only. */
  readonly retryAfter?: number;
}

const kind = (status: number, title: string, help: string, retryAfter?: number): ProblemKind => ({
  status,
  title,
  help,
  retryable: retryAfter !== undefined,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

export const problemKinds = {
  'malformed-request': kind(
    400,
    'The request is not well-formed HTTP',
    'The bytes received are not an HTTP/1.1 request, or the body ended before its announced length. Nothing was stored. Check the client and any proxy in front of the gateway.',
  ),
  'invalid-key': kind(
    400,
    'The key is invalid',
    'A key has 1 to 255 bytes of valid UTF-8, percent-decoded from the path, without control bytes (0x00-0x1F, 0x7F).',
  ),
  'invalid-parameter': kind(
    400,
    'A query parameter or header is invalid',
    'The detail names the parameter and its allowed values. Unknown parameters are refused, so that a misspelt one is never ignored.',
  ),
  'invalid-body': kind(
    400,
    'The body is invalid for this operation',
    'The detail says what is wrong and where. Unknown members are refused, so that a misspelt one is never ignored.',
  ),
  'engine-invalid-parameter': kind(
    400,
    'The engine refused a parameter',
    'The engine returned -3000. Check the key and the placement options.',
  ),
  'digest-mismatch': kind(
    400,
    'The body does not match its Content-Digest',
    'The digest of the bytes received differs from the one in the request. Nothing was stored or removed. Send the request again.',
  ),
  'token-required': kind(
    401,
    'The request needs a token',
    'Send Authorization: Bearer with a token of this gateway. An operator creates one with memcache-gateway token create.',
  ),
  'token-invalid': kind(
    401,
    'The token is not valid',
    'The token is unknown, revoked, expired or mistyped. Ask an operator of the gateway for a new one.',
  ),
  'certificate-required': kind(
    403,
    'The request needs a client certificate',
    'The gateway has client certificates in the place of tokens (--tls-client-ca), and the connection has none that is valid. The detail gives the reason. Give the client a certificate that an authority of the gateway has signed, and its private key.',
  ),
  'scope-missing': kind(
    403,
    'The request lacks the scope of the operation',
    'The detail names the scope. read permits to get, check and describe objects, write to put and remove them, admin to administer the gateway; no scope includes another. Use a token or a client certificate with this scope. Without tokens, a listener beyond loopback (--insecure) never has the scope admin.',
  ),
  'key-not-permitted': kind(
    403,
    'The token does not permit the key',
    'The token permits only keys that begin with one of its prefixes. The gateway has not looked for the object.',
  ),
  'host-not-allowed': kind(
    403,
    'The Host header names a host that is not allowed',
    'Only loopback names, IP addresses and configured names are allowed, so that a web page cannot reach the store through DNS rebinding. Allow the name with --allow-host.',
  ),
  'origin-not-allowed': kind(
    403,
    'A web page of another origin may not call this gateway',
    'Use --allow-origin to allow the pages of an origin. Requests without an Origin (images, scripts, frames, no-cors fetches, links) are never allowed from other sites.',
  ),
  'buffers-disabled': kind(
    403,
    'Shared buffers are not available to this client',
    'Shared buffers are off unless the gateway is started with --shared-buffers. They serve clients on the same machine: those of a Unix socket, and with --shared-buffers loopback those of loopback addresses.',
  ),
  'buffer-not-permitted': kind(
    403,
    'The buffer belongs to another client',
    'Only the user that has registered a buffer may use it, with the same token. The scope admin permits to list and remove it as well.',
  ),
  'no-such-resource': kind(
    404,
    'There is nothing at this path',
    '/docs and /openapi.json describe the API.',
  ),
  'object-not-found': kind(
    404,
    'There is no object with this key',
    'The object was never stored, was removed or evicted, or was lost with the engine client whose memory held it.',
  ),
  'buffer-not-found': kind(
    404,
    'There is no buffer with this name',
    'The buffer was never registered, or was removed: by a client, after its ttlMs, or because the process that registered it has ended. Register it with PUT.',
  ),
  'object-being-written': kind(
    404,
    'The object is still being written',
    'Another client is storing this key, and no replica is readable yet. Try again. If the problem persists, the writer has died in the middle: remove the key.',
    1,
  ),
  'method-not-allowed': kind(
    405,
    'The resource does not support this method',
    'The Allow header lists the supported methods.',
  ),
  'not-acceptable': kind(
    406,
    'None of the accepted media types can be sent',
    'The media type of an object is application/octet-stream, that of a JSON resource application/json. A batch get has more forms.',
  ),
  'request-timeout': kind(
    408,
    'The client sent the request too slowly',
    'A request holds memory while it is received, so the client must keep to the minimum rate. Nothing was stored.',
    1,
  ),
  'object-exists': kind(
    409,
    'There is already an object with this key',
    'Objects are not overwritten. Use ifExists=keep to keep the existing object, or ifExists=replace to replace it.',
  ),
  'object-changed': kind(
    409,
    'The object changed while it was read',
    'Its length changed twice between query and read. Read it again when its writers have finished.',
  ),
  'repeated-call': kind(
    409,
    'The same engine call is already in flight',
    'The engine returned -3005.',
  ),
  'unmatched-state': kind(
    409,
    'The object is in a state that does not allow this',
    'The engine returned -3101: another operation on the key is in progress. Try again.',
    1,
  ),
  'buffer-exists': kind(
    409,
    'There is already a buffer with this name',
    'The name is registered with other memory, or is being registered. Remove the buffer first, or use another name.',
  ),
  'buffer-draining': kind(
    409,
    'The buffer is being removed',
    'Transfers that have begun still use the memory. The name can be registered again when they have ended.',
    1,
  ),
  'precondition-failed': kind(
    412,
    'A precondition of the request does not hold',
    'If-None-Match: * requires that the object does not exist, If-Match: * that it exists. Entity tags are not supported.',
  ),
  'object-too-large': kind(
    413,
    'The object is larger than this gateway accepts',
    'The detail names the limit (--max-object-bytes, or the arena).',
  ),
  'pool-too-small': kind(
    413,
    'The object is larger than the pool can hold',
    'Each replica must fit into the memory that one engine client contributes to the pool. Increase the contribution of the engine clients, or store smaller objects.',
  ),
  'batch-too-large': kind(
    413,
    'The batch is larger than this gateway accepts',
    'The detail names the limit: --batch-keys for the number of keys, --batch-json-bytes for a JSON body or the header of a safetensors body. Split the batch into several requests.',
  ),
  'unsized-body-too-large': kind(
    413,
    'A body without Content-Length is too large',
    'Send Content-Length. The gateway then reserves exactly the memory that the body needs.',
  ),
  'uri-too-long': kind(
    414,
    'The request target is too long',
    'A request target has at most 8192 characters. A key has at most 255 bytes, which are 765 characters when every byte is percent-encoded. A target of more than 16 KiB that arrives in pieces gets headers-too-large.',
  ),
  'unsupported-content-coding': kind(
    415,
    'Content codings are not accepted',
    'Objects are stored as the bytes that are sent. Send them without Content-Encoding.',
  ),
  'unsupported-media-type': kind(
    415,
    'The operation does not accept the media type of the body',
    'Content-Type gives the media type of the body. The detail and Accept-Post list the accepted ones.',
  ),
  'range-not-satisfiable': kind(
    416,
    'The range lies outside the object',
    'Content-Range gives the length of the object.',
  ),
  'expectation-failed': kind(
    417,
    'The expectation cannot be met',
    'The only supported expectation is 100-continue.',
  ),
  'empty-object': kind(
    422,
    'An object has at least one byte',
    'The engine loses memory when it stores an empty object, so the gateway refuses it. Store a marker byte instead.',
  ),
  'placement-impossible': kind(
    422,
    'The requested placement is impossible',
    'There must be at least as many live services as replicas. The number of preferred services, if any, must equal replicas, and each must be a live service with enough memory. GET /readyz shows the service id of this gateway.',
  ),
  'layers-mismatch': kind(
    422,
    'The sizes of the layers do not match the object',
    'The sizes from sizes or layout must add up to the size of the object. expectedBytes is their sum, actualBytes the real size. In a put, each layer must also have the size given for it.',
  ),
  'buffer-refused': kind(
    422,
    'The shared memory cannot be used',
    'The detail says why: its name, its owner, its size, or that the gateway cannot open it. Nothing was registered.',
  ),
  'buffer-broken': kind(
    422,
    'The client has truncated the shared memory',
    'The memory of the buffer is shorter than it was registered. The gateway has given it up, and all transfers that used it have failed. Remove the buffer, or register it again.',
  ),
  'buffer-range': kind(
    422,
    'The range does not suit the object or the buffer',
    'The range must lie inside the buffer, and the object must fit into it. The member size of the item is the size of the object. Layers must have exactly the size of the object together.',
  ),
  'device-memory-required': kind(
    422,
    'The direction needs device memory',
    'L2G and G2L move bytes of device memory, and the buffer is memory of the host. Use H2G and G2H.',
  ),
  'range-already-written': kind(
    409,
    'This range of the object is already written',
    'The engine returned -3107. The object is unchanged. Remove it before you store it again.',
  ),
  'lease-active': kind(
    423,
    'The object is being read',
    'The engine returned -3104: the lease of a reader has not expired yet. Try again.',
    2,
  ),
  'client-busy': kind(
    429,
    'The client has too many requests in flight',
    'A client may have only so many requests in flight (--client-in-flight, in each worker). A client is its token, its client certificate, or its address. Wait for the responses to earlier requests.',
    1,
  ),
  'client-too-fast': kind(
    429,
    'The client moves too many bytes per second',
    'The bodies that a client sends and receives may have only so many bytes per second (--client-bytes-per-second, in each worker). A client is its token, its client certificate, or its address. Retry-After says when it may send its next request.',
    1,
  ),
  'client-share-full': kind(
    429,
    'The client holds its share of the memory',
    'A client may hold only a part of the memory: of that for values while other clients wait for it (--client-arena-bytes), of that for JSON and headers a half. A client is its token, its client certificate, or its address. Send fewer large requests at a time, and read responses faster.',
    1,
  ),
  'headers-too-large': kind(
    431,
    'The request headers are too large',
    'Request target and headers have at most 16 KiB together, in at most 256 header lines.',
  ),
  'internal-error': kind(
    500,
    'Internal error of the gateway',
    'The log has a line with this requestId. Please report it.',
  ),
  'engine-error': kind(
    500,
    'The engine failed for an unknown reason',
    'The engine returned its general error code. Check the log of the engine.',
  ),
  'not-implemented': kind(
    501,
    'The transfer coding is not supported',
    'Send the body with Content-Length, or with Transfer-Encoding: chunked.',
  ),
  'no-pool-source': kind(
    501,
    'The gateway cannot see what the pool holds',
    'The distributed engine cannot report its figures and keys; its meta service can. Start the gateway with --meta-url, the HTTP address of the meta service (ock.mmc.meta_service.metrics_url, by default http://127.0.0.1:8000). The embedded engine needs no setting.',
  ),
  'http-version-not-supported': kind(
    505,
    'The HTTP version is not supported',
    'Send HTTP/1.1. Configure the client not to start with HTTP/2 on a connection without TLS.',
  ),
  'engine-fault': kind(
    502,
    'The transport of the engine failed',
    'The code is that of the engine. If the problem persists, check the log of the engine and its network.',
  ),
  'engine-network-fault': kind(
    502,
    'The engine lost a message',
    'The engine returned the code of a failed remote call. Try again.',
    1,
  ),
  'engine-unavailable': kind(
    503,
    'The engine is unavailable',
    'The engine is not initialised, or has no connection to its meta service. The gateway recovers by itself when the engine does.',
    2,
  ),
  'engine-out-of-resources': kind(
    503,
    'The engine is out of resources',
    'The engine could not allocate memory or create an object. Try again.',
    1,
  ),
  'ssd-unavailable': kind(
    503,
    'The SSD that holds the object is unavailable',
    'The engine returned -3020. The object may become readable again when its host is available. Objects in memory are not affected.',
    2,
  ),
  'lease-expired': kind(
    503,
    'The read took longer than its lease',
    'The engine returned -3106, and the gateway has already repeated the read once. Try again. If the problem persists, increase ock.mmc.meta.lease_ttl_ms of the meta service.',
    1,
  ),
  'engine-stuck': kind(
    503,
    'Engine calls are stuck',
    'All engine calls that this kind of operation may make are past their deadline. New requests are refused at once until a call returns or a probe of the engine succeeds. Try again.',
    2,
  ),
  'arena-full': kind(
    503,
    'No memory was free in time',
    'Requests in progress hold all memory that the gateway has reserved for them. Try again with fewer concurrent requests, or increase --arena-bytes.',
    1,
  ),
  'read-not-trusted': kind(
    503,
    'The engine reported success, but the bytes cannot be trusted',
    'Twice, the read took longer than the lease of the engine or left its destination unchanged. Try again.',
    1,
  ),
  'pool-locked': kind(
    503,
    'A part of the pool is locked',
    'Another process of this pool holds a lock that the operation needs, and is not running: SIGSTOP or a debugger may have stopped it. The engine stopped waiting and did nothing. Try again. If the problem persists, let that process continue, or end it.',
    1,
  ),
  'meta-service-unavailable': kind(
    503,
    'The meta service did not report',
    'The meta service at --meta-url did not respond in time, or responded with an error; the detail says what it did. Requests for objects are not affected, since they do not use this address. Check that the address is its metrics_url, and that it serves.',
    1,
  ),
  'buffer-unavailable': kind(
    503,
    'The buffer is not available in this worker',
    'A worker has not mapped the memory, or did not respond in time; the detail says why, if the gateway knows it. Other requests are not affected.',
    1,
  ),
  'not-ready': kind(
    503,
    'The gateway is not ready',
    'The gateway is starting, restarting or shutting down, its worker does not respond, or more clients have connected than it can serve. Try again.',
    1,
  ),
  'engine-timeout': kind(
    504,
    'The engine did not return in time',
    'The deadline is --deadline-ms. A read may be retried. The outcome of a write is unknown: check with HEAD before you retry.',
  ),
  'buffers-full': kind(
    507,
    'There is no room for another buffer',
    'The detail names the limit: --shared-buffer-bytes for all buffers together, or 256 buffers. Remove a buffer first.',
    5,
  ),
  'no-room': kind(
    507,
    'There is no room in the pool',
    'The put has waited for an eviction (--put-wait-ms), unless the engine evicts nothing now. Where the gateway knows the pool (embedded engine, or --meta-url), neededBytes, freeBytes and capacityBytes say what the put needs and what there is. If retryable is true, an eviction may free space: try again. The distributed engine evicts only while more than 90 % of the pool is used (ock.mmc.evict_threshold_high). If retryable is false, remove objects, store smaller ones, or add memory to the pool.',
    2,
  ),
} as const satisfies Record<string, ProblemKind>;

export type ProblemSlug = keyof typeof problemKinds;

/** Why an item of a request has no success; `aborted`: the client disconnected before the outcome was known. */
export type ItemFailure = ProblemSlug | 'aborted';

export const isProblemSlug = (text: string): text is ProblemSlug =>
  Object.hasOwn(problemKinds, text);

/** The members of one response or item that its kind does not determine. */
export interface ProblemOptions {
  detail?: string;
  /** Code and name of the engine (engine-codes.ts), if the engine caused the problem. */
  code?: number;
  name?: string;
  /** Overrides that of the kind: a read that timed out may be retried, a write may not. */
  retryable?: boolean;
  headers?: Readonly<Record<string, string>>;
  /** Further members, e.g. `limitBytes`. */
  members?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** Thrown anywhere below a route; the route's edge turns it into application/problem+json. */
export class ProblemError extends Error {
  readonly slug: ProblemSlug;
  readonly options: ProblemOptions;
  constructor(slug: ProblemSlug, options: ProblemOptions = {}) {
    // A missing object is a normal response, and recording a stack costs more than the lookup.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(options.detail ?? problemKinds[slug].title, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ProblemError';
    this.slug = slug;
    this.options = options;
  }
}

/** A problem that several items and requests share. Frozen, so that none of them can change it. */
export function sharedProblem(slug: ProblemSlug, options: ProblemOptions = {}): ProblemError {
  return Object.freeze(new ProblemError(slug, Object.freeze(options)));
}
