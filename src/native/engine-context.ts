import type { EngineFunctions } from './abi.ts';
import type { CallArguments } from './call-arguments.ts';
import type { Canaries } from './canaries.ts';
import type { EngineClient } from './types.ts';

/** What every call needs: the functions, and who is told of each call. */
export interface EngineContext {
  readonly functions: EngineFunctions;
  /**
   * A read that takes longer than so many ms is not trusted: its lease may have ended before its bytes
   * were moved, and then they may be another object's.
   */
  readonly slowReadMs: number;
  onCall: EngineClient['onCall'];
}

/** What one call at a time owns. */
export interface Slot {
  readonly args: CallArguments;
  readonly canaries: Canaries;
}
