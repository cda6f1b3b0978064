import type { RegionReply, RegionRequest } from '../../messages/regions.ts';
import type { BatchQueues } from '../../scheduler/batch-calls.ts';
import type { MappedBuffers } from './mapped-buffers.ts';

/** The memory of clients, as the routes of a worker use it. */
export interface Buffers {
  readonly shared: MappedBuffers;
  /** `on`: clients of Unix sockets. `loopback`: clients of loopback addresses too. */
  readonly serves: 'on' | 'loopback';
  /** Whether all bytes pass through the arena, because the engine may not survive a truncation. */
  readonly copies: boolean;
  readonly queues: Pick<BatchQueues, 'of' | 'move'>;
  readonly arenaWaitMs: number;
  /** Asks the supervisor; undefined when it does not respond in time. */
  ask(request: RegionRequest): Promise<RegionReply | undefined>;
}
