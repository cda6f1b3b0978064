import type { EngineFunctions } from './abi.ts';
import type { CallArguments } from './call-arguments.ts';
import type { Canaries } from './canaries.ts';
import type { EngineClient } from './types.ts';

/** What every call needs: the functions, and who is told of each call. */
export interface EngineContext {
  readonly functions: EngineFunctions;
  onCall: EngineClient['onCall'];
}

/** What one call at a time owns. */
export interface Slot {
  readonly args: CallArguments;
  readonly canaries: Canaries;
}

/** Past this a read's lease may have ended before its bytes were moved (design.md §2). */
export const SLOW_READ_MS = 1500;
