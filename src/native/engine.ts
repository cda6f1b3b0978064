import type { Arena, CallObserver } from './abi/types.ts';
import type { NativeCalls } from './calls/native-calls.ts';
import type { PoolCalls } from './calls/pool-calls.ts';
import type { DirectCalls } from './calls/sync-calls.ts';
import type { Probe } from './start/self-test.ts';

/**
 * The process's client of an engine, without queue and deadline. A caller makes at most `callSlots` calls
 * at a time, and at most `substitutes` more to replace calls that hang. Probes have their own calls.
 */
export interface Engine {
  readonly library: string;
  readonly embedded: boolean;
  readonly device: number;
  readonly serviceId: number;
  readonly arena: Arena;
  readonly callSlots: number;
  readonly substitutes: number;
  readonly calls: NativeCalls;
  readonly batchCalls: NativeCalls;
  readonly probes: readonly Probe[];
  /** Calls on the JavaScript thread; present only if the engine exports `mmc_embedded_nonblocking`. */
  readonly sync: DirectCalls | undefined;
  /** What the pool holds; present only if the engine exports `mmc_embedded_stats` and `mmc_embedded_list`. */
  readonly pool?: PoolCalls | undefined;
  /** Called after every engine call, including those on the JavaScript thread; optional. */
  onCall: CallObserver | undefined;
  /**
   * Uninitialises the engine while no call is in flight. True if it returned within `deadlineMs`; false if
   * the process must `_exit`.
   */
  readonly leave: (deadlineMs: number) => Promise<boolean>;
}
