import type { components } from '../generated/openapi.ts';
import { type ByteRange, rangeHeader } from './range.ts';
import { type Placement, pathOfKey, queryOf } from './target.ts';
import type { CallOptions, RequestBody, Transport } from './transport.ts';

export type KeyInfo = components['schemas']['KeyInfo'];
/** The outcome of a put: `kept` and `replaced` only with the matching `ifExists`. */
export type Outcome = 'created' | 'kept' | 'replaced';

export interface PutOptions extends Placement, CallOptions {
  /** Verified by the gateway before it stores anything (RFC 9530), such as `sha-256=:…:`. */
  readonly contentDigest?: string;
}

export interface GetOptions extends CallOptions {
  /** Only these bytes: from `start` to before `end`. */
  readonly range?: ByteRange;
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
  put(key: string, value: Bytes, options?: PutOptions): Promise<Outcome>;
  get(key: string, options?: GetOptions): Promise<Uint8Array>;
  /** Like `get`, without waiting for the end; not retried after the first byte. */
  getStream(key: string, options?: GetOptions): Promise<ObjectStream>;
  info(key: string, options?: CallOptions): Promise<KeyInfo>;
  exists(key: string, options?: CallOptions): Promise<boolean>;
  remove(key: string, options?: CallOptions): Promise<void>;
}

/** The operations for every key that a path can contain. */
export function createObjects(transport: Transport): Objects {
  const getting = ({ range, signal }: GetOptions) => ({
    method: 'GET',
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
    get: (key, options = {}) =>
      transport(
        { ...getting(options), path: objectPath(key) },
        async (response) => new Uint8Array(await response.arrayBuffer()),
      ),
    getStream: (key, options = {}) =>
      transport({ ...getting(options), path: objectPath(key) }, (response) => ({
        size: Number(response.headers.get('content-length')),
        body: response.body as ReadableStream<Uint8Array>,
      })),
    info: (key, { signal } = {}) =>
      transport(
        { method: 'GET', path: `/v1/info/${pathOfKey(key)}`, safe: true, signal },
        (response) => response.json() as Promise<KeyInfo>,
      ),
    exists: (key, { signal } = {}) =>
      transport(
        { method: 'HEAD', path: objectPath(key), safe: true, signal, expected: [404] },
        (response) => response.status !== 404,
      ),
    remove: (key, { signal } = {}) =>
      transport({ method: 'DELETE', path: objectPath(key), safe: false, signal }, () => undefined),
  };
}

export async function outcomeOf(response: Response): Promise<Outcome> {
  await response.arrayBuffer();
  return (response.headers.get('memcache-outcome') ?? 'created') as Outcome;
}

const objectPath = (key: string): string => `/v1/objects/${pathOfKey(key)}`;
