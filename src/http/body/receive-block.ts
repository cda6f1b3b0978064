import { AsyncResource } from 'node:async_hooks';
import { SMALL_BLOCK_BYTES } from '../../native/abi/limits.ts';
import type { Block } from '../../native/abi/types.ts';
import { peerOf } from '../../scheduler/arena-room.ts';
import { grown, UNSIZED_START_BYTES } from '../../store/grown-block.ts';
import type { Exchange } from '../exchange.ts';
import type { DigestCheck } from '../request/digest.ts';
import { receiveBody } from './body-receiver.ts';
import type { ChunkSink, MemorySink } from './body-sink.ts';
import { UploadingClient } from './uploading-client.ts';

/** Uses the first `bytes` of a block, which it owns from here. */
export type UseBlock = (block: Block, bytes: number) => void | Promise<void>;

/**
 * Receives a body into a block: one of the announced length, which the request waits for before the
 * gateway reads the first byte, or without a length one that grows. Rejects as `receiveBody`, and with
 * `arena-full`, `empty-object` and the error of `use`; it holds no block then.
 */
export function receiveBlock(
  exchange: Exchange,
  length: number | undefined,
  digest: DigestCheck | undefined,
  use: UseBlock,
): Promise<void> {
  const { store, limits } = exchange.gateway;
  // The end of the body runs in the context of the connection, which does not know the trace of the request.
  const isTraced = exchange.span !== undefined || exchange.timing !== undefined;
  const useTraced = isTraced ? AsyncResource.bind(use) : use;
  const bytes = length ?? Math.min(UNSIZED_START_BYTES, limits.unsizedBytes);
  const receive = (block: Block): Promise<void> => {
    const sink =
      length === undefined
        ? new GrowingSink(exchange, block, useTraced)
        : new BlockSink(block, useTraced);
    return receiveBody(exchange, sink, digest);
  };
  const reserved = store.reserve(bytes, new UploadingClient(exchange));
  return reserved instanceof Promise ? reserved.then(receive) : receive(reserved);
}

/** A block of the length of the body. */
class BlockSink implements MemorySink {
  readonly memory: Uint8Array;
  readonly holdsRoom: boolean;
  readonly #block: Block;
  readonly #use: UseBlock;

  constructor(block: Block, use: UseBlock) {
    this.#block = block;
    this.#use = use;
    this.memory = block.view;
    this.holdsRoom = block.length > SMALL_BLOCK_BYTES;
  }

  end(): void | Promise<void> {
    return this.#use(this.#block, this.#block.length);
  }

  discard(): void {
    this.#block.release();
  }
}

/** A block that doubles. It does not wait for room, since the request already holds a block. */
class GrowingSink implements ChunkSink {
  readonly holdsRoom = true;
  readonly refusesEmpty = true;
  readonly #exchange: Exchange;
  readonly #use: UseBlock;
  #block: Block;
  #bytes = 0;

  constructor(exchange: Exchange, block: Block, use: UseBlock) {
    this.#exchange = exchange;
    this.#block = block;
    this.#use = use;
  }

  /** @throws ProblemError `unsized-body-too-large`, `arena-full` */
  write(chunk: Buffer): void {
    const { gateway, req } = this.#exchange;
    const needed = this.#bytes + chunk.length;
    if (needed > this.#block.length) {
      const { unsizedBytes } = gateway.limits;
      const { arena } = gateway.store;
      this.#block = grown(
        arena,
        this.#block,
        this.#bytes,
        needed,
        unsizedBytes,
        peerOf(req.socket),
      );
    }
    this.#block.view.set(chunk, this.#bytes);
    this.#bytes = needed;
  }

  end(): void | Promise<void> {
    return this.#use(this.#block, this.#bytes);
  }

  discard(): void {
    this.#block.release();
  }
}
