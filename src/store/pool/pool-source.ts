import type {
  KeyPage,
  KeyRange,
  MediumBytes,
  SegmentBytes,
} from '../../native/calls/pool-calls.ts';
import type { Caller } from '../../scheduler/arena-room.ts';
import type { PoolRoom } from './pool-room.ts';

export type { KeyPage, KeyRange, MediumBytes, SegmentBytes };

/** A number that is not known is absent. */
export interface PoolCapacity {
  readonly media: readonly MediumBytes[];
  readonly objects?: number;
  readonly evictions?: number;
}

export interface PoolHealth {
  readonly status: 'ok' | 'degraded';
  /** Of the distributed engine. */
  readonly metaService?: object;
}

/** What the whole pool holds, at most a second old. Each method rejects with a ProblemError. */
export interface PoolSource {
  capacity(): Promise<PoolCapacity>;
  /**
   * Room for new objects, at most four seconds old, without waiting. Undefined if it is not known now: a
   * later call may know it.
   */
  room(): PoolRoom | undefined;
  /** Ordered by service and medium. */
  segments(): Promise<readonly SegmentBytes[]>;
  health(): Promise<PoolHealth>;
  /** A page of keys. Ends with ClientGoneError when the caller has disconnected. */
  keys(range: KeyRange, caller: Caller): Promise<KeyPage>;
}
