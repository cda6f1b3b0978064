/**
 * The problems a client can be told of. One row holds slug, status, title, advice and whether trying
 * again can help; slugs are a stable contract (`/problems/{slug}`), messages are not. design.md §3.
 */

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What it means and how to mend it, for /problems/{slug}. */
  readonly help: string;
  readonly retryable: boolean;
  /** Seconds for Retry-After, where the kind has a sensible one. */
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
    'The bytes received are not an HTTP/1.1 request, or the body ended before its announced length. Nothing was stored. Check the client or the proxy in between.',
  ),
  'invalid-key': kind(
    400,
    'The key is not acceptable',
    'A key is 1 to 255 bytes of valid UTF-8, percent-decoded from the path, without control bytes (0x00-0x1F, 0x7F).',
  ),
  'invalid-parameter': kind(
    400,
    'A query parameter or header is not acceptable',
    'The detail names the parameter and what it takes. Unknown parameters are refused, so that a misspelt one is never silently ignored.',
  ),
  'invalid-body': kind(
    400,
    'The body is not what this operation takes',
    'The detail says what is wrong and where. Unknown members are refused, so that a misspelt one is never silently ignored.',
  ),
  'engine-invalid-parameter': kind(
    400,
    'The engine refused a parameter',
    'The engine answered -3000. Check the key and the placement options.',
  ),
  'digest-mismatch': kind(
    400,
    'The body does not match its Content-Digest',
    'The bytes received have another digest than the request announced. Nothing was stored or removed; send them again.',
  ),
  'host-not-allowed': kind(
    403,
    'The Host header names a host that is not allowed',
    'Without tokens only loopback names, IP addresses and configured names are served, so that a web page cannot reach the store through DNS rebinding. Add the name with --allow-host.',
  ),
  'origin-not-allowed': kind(
    403,
    'A web page of another origin may not call this gateway',
    'Requests of its pages can be admitted with --allow-origin; those without an Origin (images, scripts, frames, no-cors fetches, links) never are. No CORS headers are sent yet, so browsers still keep the answers from such pages and send no PUT or DELETE for them.',
  ),
  'no-such-resource': kind(
    404,
    'There is nothing at this path',
    'The API is described at /docs and /openapi.json.',
  ),
  'object-not-found': kind(
    404,
    'There is no object with this key',
    'It was never stored, was removed, was evicted, or lived in the memory of a client that has gone.',
  ),
  'object-being-written': kind(
    404,
    'The object is still being written',
    'Another client has begun to store this key and no replica is readable yet. Ask again shortly. If it stays so, the writer died half-way: remove the key.',
    1,
  ),
  'method-not-allowed': kind(
    405,
    'This resource does not have that method',
    'The Allow header lists the methods it has.',
  ),
  'not-acceptable': kind(
    406,
    'None of the accepted media types can be sent',
    'An object is sent as application/octet-stream, JSON resources as application/json; a batch get has more forms.',
  ),
  'request-timeout': kind(
    408,
    'The request was sent too slowly',
    'A request holds memory while it is received, so it must keep up the minimum rate. Nothing was stored.',
    1,
  ),
  'object-exists': kind(
    409,
    'There is already an object with this key',
    'Objects are not overwritten. Use ifExists=keep to accept the present one, or ifExists=replace to remove it first.',
  ),
  'object-changed': kind(
    409,
    'The object changed while it was read',
    'Its length changed twice between the query and the read. Read it again when its writers have finished.',
  ),
  'repeated-call': kind(
    409,
    'The engine says that this call was made already',
    'The engine answered -3005.',
  ),
  'unmatched-state': kind(
    409,
    'The object is in a state that does not allow this',
    'The engine answered -3101: another operation on the key is under way. Try again.',
    1,
  ),
  'precondition-failed': kind(
    412,
    'A precondition of the request does not hold',
    'If-None-Match: * asks that the object be absent, If-Match: * that it be present. Entity tags are not offered.',
  ),
  'object-too-large': kind(
    413,
    'The object is larger than this gateway accepts',
    'The detail names the limit (--max-object-bytes, or the arena).',
  ),
  'pool-too-small': kind(
    413,
    'The object is larger than the pool can hold',
    'An object lies within what one client contributes to the pool, and each of its replicas with another one. Let clients contribute more, or store smaller objects.',
  ),
  'batch-too-large': kind(
    413,
    'The batch is larger than this gateway accepts',
    'The detail names the limit: --batch-keys for the number of keys, --batch-json-bytes for a JSON body or the header of a safetensors body. Send several requests.',
  ),
  'unsized-body-too-large': kind(
    413,
    'A body without Content-Length grew too large',
    'Send Content-Length: the gateway then sets aside exactly the room that is needed.',
  ),
  'uri-too-long': kind(
    414,
    'The request target is too long',
    'It may have 8192 characters. A key has at most 255 bytes, 765 characters when every one is percent-encoded. A target of more than 16 KiB that arrives in pieces is answered with headers-too-large.',
  ),
  'unsupported-content-coding': kind(
    415,
    'Content codings are not accepted',
    'Objects are stored as the bytes they are: send them without Content-Encoding.',
  ),
  'unsupported-media-type': kind(
    415,
    'The body has a media type that this operation does not take',
    'Content-Type names what the body is; the detail and Accept-Post say what is taken.',
  ),
  'range-not-satisfiable': kind(
    416,
    'The range lies outside the object',
    'Content-Range says how long the object is.',
  ),
  'expectation-failed': kind(
    417,
    'The expectation cannot be met',
    'The only expectation known is 100-continue.',
  ),
  'empty-object': kind(
    422,
    'An object has at least one byte',
    'The engine loses memory on empty objects, so they are refused. Store a marker byte instead.',
  ),
  'placement-impossible': kind(
    422,
    'The replicas or the preferred services cannot be had',
    'There must be at least as many live local services as replicas. Preferred ids, where any are given, must be as many as replicas, and each must be a live service with room. GET /readyz tells the service id of this gateway.',
  ),
  'layers-mismatch': kind(
    422,
    'The layers do not add up',
    'The sizes that sizes or layout names must add up to the object exactly; expectedBytes is what they add up to, actualBytes what there is. Of layers that are stored, each must have the size that is named for it.',
  ),
  'range-already-written': kind(
    409,
    'This range of the object is already written',
    'The engine answered -3107. The object is as it was; remove it before it is stored again.',
  ),
  'lease-active': kind(
    423,
    'The object is being read',
    'The engine answered -3104: a lease has not expired yet.',
    2,
  ),
  'headers-too-large': kind(
    431,
    'The request headers are too large',
    'Together with the request target they may have 16 KiB, in at most 256 header lines.',
  ),
  'internal-error': kind(
    500,
    'The gateway made a mistake',
    'The log has a line with this requestId. Please report it.',
  ),
  'engine-error': kind(
    500,
    'The engine failed without saying why',
    'The engine answered its general error and nothing explains it. Its own log may.',
  ),
  'not-implemented': kind(
    501,
    'The transfer coding is not supported',
    'Send the body with Content-Length, or chunked.',
  ),
  'http-version-not-supported': kind(
    505,
    'The version of HTTP is not supported',
    'Send HTTP/1.1. A client that begins with HTTP/2 on a connection without TLS must be told not to.',
  ),
  'engine-fault': kind(
    502,
    'The engine reported a fault of its transport',
    'The code is the engine\u2019s own. If it persists, look at the engine\u2019s log and its network.',
  ),
  'engine-network-fault': kind(
    502,
    'The engine lost a message',
    'The engine answered with an RPC fault. Try again.',
    1,
  ),
  'engine-unavailable': kind(
    503,
    'The engine is not available',
    'It is not initialised, or has no connection to its meta service. The gateway recovers by itself when the engine does.',
    2,
  ),
  'engine-out-of-resources': kind(
    503,
    'The engine could not get what it needed',
    'The engine could not allocate memory or create an object. Try again.',
    1,
  ),
  'ssd-unavailable': kind(
    503,
    'The SSD that holds the object is not available',
    'The engine answered -3020. The object may be readable again when its host is; objects in memory are not affected.',
    2,
  ),
  'lease-expired': kind(
    503,
    'The read outlasted its lease',
    'The engine answered -3106, and a read was repeated once before this. Try again. If it persists, raise ock.mmc.meta.lease_ttl_ms of the meta service.',
    1,
  ),
  'engine-stuck': kind(
    503,
    'Engine calls are stuck',
    'All engine calls that this operation may make are past their deadline, so new requests are refused at once until one returns, or the engine answers a probe.',
    2,
  ),
  'arena-full': kind(
    503,
    'There was no room in the arena in time',
    'Transfers under way hold all of the memory set aside for them. Try again, with fewer transfers at once, or give the gateway a larger --arena-bytes.',
    1,
  ),
  'read-not-trusted': kind(
    503,
    'The engine reported success, but the bytes cannot be trusted',
    'The read took longer than the engine\u2019s lease or left its destination untouched, twice. Try again.',
    1,
  ),
  'pool-locked': kind(
    503,
    'A part of the pool is locked',
    'Another process of this pool holds a lock that the operation needs, and does not run: SIGSTOP or a debugger may have stopped it. The engine gave up waiting and did nothing. Try again. If it persists, let that process continue, or end it.',
    1,
  ),
  'not-ready': kind(
    503,
    'The gateway is not ready',
    'It is starting, restarting or stopping, its worker does not answer, or more clients have connected than it can serve. Try again.',
    1,
  ),
  'engine-timeout': kind(
    504,
    'The engine did not answer in time',
    'The deadline is --deadline-ms. A read can be tried again. The outcome of a write is unknown: ask with HEAD before trying again.',
  ),
  'no-room': kind(
    507,
    'There is no room in the pool',
    'Eviction may make room within moments. Remove objects, or add memory to the pool.',
    2,
  ),
} as const satisfies Record<string, ProblemKind>;

export type ProblemSlug = keyof typeof problemKinds;

export const isProblemSlug = (text: string): text is ProblemSlug =>
  Object.hasOwn(problemKinds, text);

/** What goes with a problem beyond its kind. */
export interface ProblemOptions {
  detail?: string;
  /** The engine's code and its name (native/codes.ts), where the engine is the source. */
  code?: number;
  name?: string;
  /** Overrides the kind's: a timed-out read may be tried again, a timed-out write not. */
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
    // A miss is an ordinary answer, and to note where it was thrown costs more than to look it up.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(options.detail ?? problemKinds[slug].title, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ProblemError';
    this.slug = slug;
    this.options = options;
  }
}

/** One problem for all items and requests that it concerns: frozen, so that none of them changes it. */
export function sharedProblem(slug: ProblemSlug, options: ProblemOptions = {}): ProblemError {
  return Object.freeze(new ProblemError(slug, Object.freeze(options)));
}
