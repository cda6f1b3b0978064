import { removeResults } from '../../codecs/json/json-results.ts';
import { keysHandler } from './batch-request.ts';

/** POST /v1/batch/remove. */
export const batchRemove = keysHandler('key', async (batches, keys) =>
  removeResults(keys, await batches.remove(keys)),
);
