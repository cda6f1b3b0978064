import {
  type Client,
  type ClientOptions,
  createClient,
} from '../../../packages/client/src/index.ts';
import { fetchChecked } from '../openapi/openapi.ts';

/**
 * The package's own client; each response is read whole and checked against openapi.yaml. It does not
 * retry by default, so that a test sees the first response.
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
