/** A client of the gateway for Node and browsers; it needs only `fetch`. */
export type { LayersResult } from './batch/get-layers-many.ts';
export type { PutManyOptions, PutResult } from './batch/put-many.ts';
export type { GetResult, ItemResult, KeyedResult } from './batch/results.ts';
export { type Client, createClient } from './client.ts';
export { GatewayError, type ProblemDetails, type ProblemKind } from './gateway-error.ts';
export { type ProblemSlug, problemSlugs } from './generated/problem-slugs.ts';
export type { LayerCut } from './layer-cut.ts';
export type { GetLayersOptions, PutLayersOptions } from './layers.ts';
export type {
  Bytes,
  GetOptions,
  ObjectInfo,
  ObjectStream,
  PutOptions,
  PutOutcome,
  Replica,
} from './objects.ts';
export type { ByteRange } from './range.ts';
export type { SizedBytes } from './safetensors/writer.ts';
export type { IfExists, Placement } from './target.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
