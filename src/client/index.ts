/**
 * A client of the gateway for Node and browsers: it needs `fetch`, and nothing else.
 */
import { createObjects, type Objects } from './objects.ts';
import { type ClientOptions, createTransport } from './transport.ts';

export type Client = Objects;

/** Keeps nothing open: there is nothing to close. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return createObjects(transport);
}

export { GatewayError, type Problem } from './gateway-error.ts';
export type {
  Bytes,
  GetOptions,
  KeyInfo,
  ObjectStream,
  Outcome,
  Placement,
  PutOptions,
} from './objects.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
