import { infoResults } from '../../codecs/json/json-results.ts';
import { keysHandler } from './batch-request.ts';

/** POST /v1/batch/info: size and replicas of each. */
export const batchInfo = keysHandler('info', async (batches, keys, caller) =>
  infoResults(keys, await batches.stat(keys, caller)),
);
