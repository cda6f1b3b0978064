import { type Client, type ClientOptions, createClient } from '../../src/client/index.ts';
import { fetchChecked } from './openapi.ts';

/**
 * The package's own client, of which every answer is read whole and held against openapi.yaml. It
 * tries nothing twice unless told to: a test is to see the first answer.
 */
export const clientOf = (
  gateway: () => { readonly url: string },
  options: Partial<ClientOptions> = {},
): Client =>
  createClient({
    baseUrl: '',
    retries: 0,
    fetch: (path, init) => fetchChecked(gateway().url + (path as string), init),
    ...options,
  });
