import { checkClientOptions } from './arguments.ts';
import { createMany, type Many } from './batch/many.ts';
import { checkedLayers, checkedMany, checkedObjects } from './checked-client.ts';
import { withDotKeys } from './dot-keys.ts';
import { createLayers, type Layers } from './layers.ts';
import { createObjects, type Objects } from './objects.ts';
import { type ClientOptions, createTransport } from './transport.ts';

/**
 * The objects of the pool behind a gateway. The methods have the names and the results of the store for
 * Node programs (`openStore`).
 */
export interface Client extends Objects, Layers, Many {}

/**
 * The client keeps nothing open, so there is nothing to close. An argument that a method does not accept,
 * such as an unknown option, is a TypeError that names it, before any request.
 */
export function createClient(options: ClientOptions): Client {
  checkClientOptions(options);
  const transport = createTransport(options);
  const objects = withDotKeys(createObjects(transport), transport);
  return {
    ...checkedObjects(objects),
    ...checkedLayers(createLayers(transport)),
    ...checkedMany(createMany(transport, objects)),
  };
}
