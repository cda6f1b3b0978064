import { MMC_CLIENT_NOT_INIT, MMC_NOT_ENOUGH_MEMORY, MMC_TIMEOUT } from '../errors/engine-codes.ts';
import {
  ArenaFullError,
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../native/abi/errors.ts';

/** The code for keys whose engine call was not possible, if earlier calls of the batch were. */
export function asCode(error: unknown, calls: number): number {
  if (calls > 0) {
    if (error instanceof EngineDeadlineError || error instanceof EngineStuckError) {
      return MMC_TIMEOUT;
    }
    if (error instanceof ArenaFullError) return MMC_NOT_ENOUGH_MEMORY;
    if (error instanceof EngineClosedError) return MMC_CLIENT_NOT_INIT;
  }
  throw error;
}
