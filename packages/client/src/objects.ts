import { keysCall } from './batch/calls.ts';
import { presence } from './batch/readings.ts';
import { readOnly } from './batch/results.ts';
import { undefinedIfMissing } from './gateway-error.ts';
import type { components } from './generated/api.ts';
import { type ByteRange, rangeHeader } from './range.ts';
import { type Placement, pathOfKey, queryOf } from './target.ts';
import type { CallOptions, RequestBody, Transport } from './transport.ts';

type KeyInfo = components['schemas']['KeyInfo'];

/** The service that holds a copy of an object, and the medium. */
export type Replica = Readonly<components['schemas']['Replica']>;

/** An object's length in bytes, and its replicas. */
export interface ObjectInfo {
  readonly size: number;
  readonly replicas: readonly Replica[];
}

/** What a put did: `kept` and `replaced` only with that `ifExists`. */
export type PutOutcome = 'created' | 'kept' | 'replaced';

export interface PutOptions extends Placement, CallOptions {
  /** Verified by the gateway before it stores anything (RFC 9530), such as `sha-256=:…:`. */
  readonly contentDigest?: string | undefined;
}

export interface GetOptions extends CallOptions {
  /** Only these bytes: from `start` to before `end`. */
  readonly range?: ByteRange | undefined;
}

/** A value as a stream. */
export interface ObjectStream {
  /** The length of the value. */
  readonly size: number;
  readonly body: ReadableStream<Uint8Array>;
}

/** The accepted forms of a value; a put with a stream cannot be retried. */
export type Bytes = Uint8Array | ArrayBuffer | Blob | string | ReadableStream<Uint8Array>;

/** Single objects. Every method rejects with GatewayError if the response is a problem. */
export interface Objects {
  /** Rejects with `object-exists` if the object exists, unless `ifExists` says otherwise. */
  put(key: string, value: Bytes, options?: PutOptions): Promise<PutOutcome>;
  /** Undefined if no object has this key. */
  get(key: string, options?: GetOptions): Promise<Uint8Array | undefined>;
  /** Like `get`, without waiting for the end; not retried after the first byte. */
  getStream(key: string, options?: GetOptions): Promise<ObjectStream | undefined>;
  /** Undefined if no object has this key. */
  info(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** Whether an object has this key. */
  has(key: string, options?: CallOptions): Promise<boolean>;
  /** True if there was an object, and it is removed now. */
  delete(key: string, options?: CallOptions): Promise<boolean>;
}

export function createObjects(transport: Transport): Objects {
  const getting = (key: string, { range, signal }: GetOptions) => ({
    method: 'GET',
    path: objectPath(key),
    safe: true,
    signal,
    ...(range === undefined ? {} : { headers: { Range: rangeHeader(range) } }),
  });

  return {
    put: (key, value, { contentDigest, signal, ...placement } = {}) =>
      transport(
        {
          method: 'PUT',
          path: `${objectPath(key)}${queryOf(placement)}`,
          safe: false,
          signal,
          body: value as RequestBody,
          headers: {
            'Content-Type': 'application/octet-stream',
            ...(contentDigest === undefined ? {} : { 'Content-Digest': contentDigest }),
          },
        },
        outcomeOf,
      ),
    get: async (key, options = {}) =>
      undefinedIfMissing(
        transport(
          getting(key, options),
          async (response) => new Uint8Array(await response.arrayBuffer()),
        ),
      ),
    getStream: async (key, options = {}) =>
      undefinedIfMissing(
        transport(getting(key, options), (response) => ({
          size: Number(response.headers.get('content-length')),
          body: response.body as ReadableStream<Uint8Array>,
        })),
      ),
    info: (key, { signal } = {}) =>
      undefinedIfMissing(
        transport(
          { method: 'GET', path: `/v1/info/${pathOfKey(key)}`, safe: true, signal },
          async (response) => {
            const { size, replicas } = (await response.json()) as KeyInfo;
            return { size, replicas };
          },
        ),
      ),
    // The response to HEAD has no problem, so a 404 would not tell a missing object from a wrong URL.
    has: async (key, options = {}) =>
      (await transport(keysCall('exists', [key], options), readOnly(key, presence))).exists,
    delete: async (key, { signal } = {}) =>
      (await undefinedIfMissing(
        transport({ method: 'DELETE', path: objectPath(key), safe: false, signal }, () => true),
      )) ?? false,
  };
}

export async function outcomeOf(response: Response): Promise<PutOutcome> {
  await response.arrayBuffer();
  return (response.headers.get('memcache-outcome') ?? 'created') as PutOutcome;
}

const objectPath = (key: string): string => `/v1/objects/${pathOfKey(key)}`;
