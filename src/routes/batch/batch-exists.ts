import { existsResults } from '../../codecs/json/json-results.ts';
import { keysHandler } from './batch-request.ts';

/** POST /v1/batch/exists. */
export const batchExists = keysHandler('key', async (batches, keys, caller) =>
  existsResults(keys, await batches.exists(keys, caller)),
);
