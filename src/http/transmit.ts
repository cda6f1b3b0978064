import { SMALL_BLOCK_BYTES } from '../native/limits.ts';
import type { Block } from '../native/types.ts';
import { reachedBytes } from '../native/unsent-bytes.ts';
import { type FixedHeaders, ONE_WRITE_BYTES } from '../node-internals/one-write.ts';
import { cutOff, type Exchange, endExchange, type Gateway } from './exchange.ts';
import { type HeaderList, sendWhole, writeHead } from './respond.ts';
import { sliceBytes } from './slice-bytes.ts';

/** Slices handed to the socket ahead of what the kernel has taken. */
const SLICES_AHEAD = 4;

/**
 * Sends a part of a block as the body, and releases the block when they have left or the socket is
 * closed, whichever comes first and only then: until that the socket reads from it.
 */
export function transmit(
  gateway: Gateway,
  exchange: Exchange,
  status: number,
  fixed: FixedHeaders,
  headers: HeaderList,
  block: Block,
  start: number,
  end: number,
): void {
  const bytes = end - start;
  if (exchange.res.closed) {
    // The client left while the engine worked: no `close` will come that could release the block.
    block.release();
    endExchange(gateway, exchange);
    return;
  }
  exchange.bytesOut += bytes;
  if (bytes <= ONE_WRITE_BYTES) {
    const text = block.view.toString('latin1', start, end);
    block.release();
    headers.push('X-Request-Id', exchange.requestId);
    sendWhole(gateway, exchange, status, fixed, headers, text, 'latin1');
    return;
  }
  writeHead(gateway, exchange, status, fixed, headers);
  transmitSlices(gateway, exchange, block, start, end);
}

function transmitSlices(
  gateway: Gateway,
  exchange: Exchange,
  block: Block,
  start: number,
  end: number,
): void {
  const { res } = exchange;
  let at = start;
  let written = 0;
  const reached = (): number => reachedBytes(res.socket, at - start, written);
  const holdsRoom = block.length > SMALL_BLOCK_BYTES;
  const transfer = gateway.watch.begin((reason) => cutOff(exchange, reason), reached, holdsRoom);
  res.once('close', () => {
    gateway.watch.end(transfer);
    exchange.bytesOut += written - (end - start);
    block.release();
    endExchange(gateway, exchange);
  });
  const next = (): void => {
    if (at >= end || res.destroyed) return;
    const from = at;
    at = Math.min(at + sliceBytes(), end);
    const slice = block.view.subarray(from, at);
    const onWritten = () => {
      written += slice.length;
      next();
    };
    if (at === end) res.end(slice, onWritten);
    else res.write(slice, onWritten);
  };
  for (let ahead = 0; ahead < SLICES_AHEAD; ahead++) next();
}
