import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ProblemError } from '../errors.ts';
import type { Exchange, Gateway } from './exchange.ts';

/** Items are charged in steps of so many bytes: one charge for each item would cost more than the item. */
const STEP_BYTES = 16 * 1024;

/**
 * What one request holds of the text budget: its text, and what is made of it on the JavaScript heap.
 * It is the only user of `gateway.heldText`, so that each byte is released exactly once.
 */
export interface TextHold {
  /** Bytes that one client may hold. */
  readonly most: number;
  /** Bytes that the request holds of it. */
  readonly bytes: number;
  /**
   * @throws ProblemError `arena-full` when other requests hold the bytes, `batch-too-large` when this
   * request alone needs more than one client may hold
   */
  take(bytes: number): void;
  /** As `take`, for many small amounts: at most 16 KiB of them are not charged yet. */
  count(bytes: number): void;
  /** Returns some of the bytes before the request ends. */
  giveBack(bytes: number): void;
  /** Returns all bytes. What is taken later is returned at once. */
  release(): void;
}

/** The caller releases the hold; `withTextHold` does it by itself. */
export function openTextHold(
  { heldText }: Pick<Gateway, 'heldText'>,
  { req }: Pick<Exchange, 'req'>,
): TextHold {
  const budget = heldText.of(req.socket);
  let held = 0;
  let uncharged = 0;
  let released = false;
  const take = (bytes: number): void => {
    if (held + bytes > heldText.maxPeerBytes) throw neverFits(heldText.maxPeerBytes);
    budget.take(bytes);
    if (released) budget.giveBack(bytes);
    else held += bytes;
  };
  return {
    most: heldText.maxPeerBytes,
    get bytes() {
      return held;
    },
    take,
    count(bytes) {
      uncharged += bytes;
      if (uncharged < STEP_BYTES) return;
      take(uncharged);
      uncharged = 0;
    },
    giveBack(bytes) {
      if (released) return;
      budget.giveBack(bytes);
      held -= bytes;
    },
    release() {
      released = true;
      budget.giveBack(held);
      held = 0;
    },
  };
}

const connectionHolds = new WeakMap<Socket, TextHold>();

/**
 * The hold for what the gateway keeps of requests before it serves them. All requests of a connection
 * share it, and it is released when the connection closes.
 */
export function connectionHold(gateway: Pick<Gateway, 'heldText'>, req: IncomingMessage): TextHold {
  const { socket } = req;
  const known = connectionHolds.get(socket);
  if (known !== undefined) return known;
  const hold = openTextHold(gateway, { req });
  connectionHolds.set(socket, hold);
  if (socket.destroyed) hold.release();
  else socket.once('close', () => hold.release());
  return hold;
}

/**
 * Gives `use` a hold. It is released when the response has left or its connection is closed, since
 * text that waits for a slow client is memory too; and when `use` has failed, as soon as `returned`
 * resolves: engine calls in flight go on then, and keep what they were given.
 */
export async function withTextHold(
  gateway: Gateway,
  exchange: Exchange,
  use: (hold: TextHold) => Promise<void>,
  returned: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const hold = openTextHold(gateway, exchange);
  try {
    await use(hold);
  } catch (error) {
    void returned().finally(() => hold.release());
    throw error;
  }
  const { res } = exchange;
  if (res.closed || res.destroyed) hold.release();
  else res.once('close', () => hold.release());
}

const neverFits = (most: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The batch needs more memory than the ${most} bytes that one client may hold (4 x --batch-json-bytes). Send several requests with fewer items each.`,
    members: { limitBytes: most },
  });
