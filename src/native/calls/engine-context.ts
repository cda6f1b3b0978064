import type { EngineFunctions } from '../abi/abi.ts';
import type { CallObserver } from '../abi/types.ts';
import type { CallArguments } from './call-arguments.ts';
import type { Canaries } from './canaries.ts';

/** The parts that every call needs: the functions of the engine, and the observer of calls. */
export interface EngineContext {
  readonly functions: EngineFunctions;
  /**
   * A read that takes longer is not trusted: its lease may have ended before its bytes were copied, and
   * they may then belong to another object.
   */
  readonly slowReadMs: number;
  onCall: CallObserver | undefined;
}

/** The argument memory of one call. */
export interface CallMemory {
  readonly args: CallArguments;
  readonly canaries: Canaries;
}
