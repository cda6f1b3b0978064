import type { Block } from '../native/types.ts';
import { type Exchange, endExchange, type Gateway } from './exchange.ts';
import { type HeaderList, writeHead } from './respond.ts';

/**
 * Values up to this size leave as one string with their head: one write instead of two, and the
 * block is free again at once (docs/decisions). libuv's own buffer for such writes has 16 KiB.
 */
const ONE_WRITE_BYTES = 14 * 1024;
/** Written at a time, so that progress can be seen and a slow reader be told from a dead one. */
const SLICE_BYTES = 1 << 20;
/** Slices handed to the socket ahead of what the kernel has taken. */
const SLICES_AHEAD = 4;

/**
 * Sends `bytes` of a block as the body, and releases the block when they have left or the socket is
 * closed, whichever comes first and only then: until that the socket reads from it.
 */
export function transmit(
  gateway: Gateway,
  exchange: Exchange,
  status: number,
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
  writeHead(gateway, exchange, status, headers);
  if (bytes <= ONE_WRITE_BYTES) {
    exchange.res.end(block.view.toString('latin1', start, end), 'latin1');
    block.release();
    endExchange(gateway, exchange);
    return;
  }
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
  const transfer = gateway.watch.begin(() => res.destroy());
  res.once('close', () => {
    gateway.watch.end(transfer);
    exchange.bytesOut += transfer.bytes - (end - start);
    block.release();
    endExchange(gateway, exchange);
  });
  let at = start;
  const next = (): void => {
    if (at >= end || res.destroyed) return;
    const from = at;
    at = Math.min(at + SLICE_BYTES, end);
    const slice = block.view.subarray(from, at);
    const onWritten = () => {
      transfer.bytes += slice.length;
      next();
    };
    if (at === end) res.end(slice, onWritten);
    else res.write(slice, onWritten);
  };
  for (let ahead = 0; ahead < SLICES_AHEAD; ahead++) next();
}
