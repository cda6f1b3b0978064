import type { Socket } from 'node:net';
import { ProblemError } from '../../errors/problems.ts';
import { peerOf } from '../../scheduler/arena-room.ts';
import type { Exchange, Gateway } from '../exchange.ts';
import type { TextBudget } from './growing-text.ts';
import type { HeldBytes } from './held-bytes.ts';

/** Items are charged in steps of this many bytes: one charge for each would cost more than the item. */
const STEP_BYTES = 16 * 1024;

/**
 * The bytes of the text budget that one request holds: for its text, and for the values on the
 * JavaScript heap that are made of it. No other code uses `gateway.heldText`, so each byte is released
 * exactly once. The owner releases the hold; `withTextHold` does it by itself.
 */
export class TextHold implements TextBudget {
  /** Bytes that one client may hold. */
  readonly most: number;
  readonly #budget: HeldBytes;
  /** The client at the beginning: it may not be that of a later request of the connection. */
  readonly #peer: object | undefined;
  #bytes = 0;
  #uncharged = 0;
  #isReleased = false;

  constructor(budget: HeldBytes, socket: Socket) {
    this.#budget = budget;
    this.#peer = peerOf(socket);
    this.most = budget.maxPeerBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @throws ProblemError `arena-full` when other requests hold the bytes, `batch-too-large` when this
   * request alone needs more than one client may hold
   */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.most) throw neverFits(this.most);
    this.#budget.take(bytes, this.#peer);
    if (this.#isReleased) this.#budget.giveBack(bytes, this.#peer);
    else this.#bytes += bytes;
  }

  /** As `take`, for many small amounts: at most 16 KiB of them are not charged yet. */
  count(bytes: number): void {
    this.#uncharged += bytes;
    if (this.#uncharged < STEP_BYTES) return;
    this.take(this.#uncharged);
    this.#uncharged = 0;
  }

  /** Returns some of the bytes before the request ends. */
  giveBack(bytes: number): void {
    if (this.#isReleased) return;
    this.#budget.giveBack(bytes, this.#peer);
    this.#bytes -= bytes;
  }

  /** Returns all bytes. Bytes that are taken later are returned at once. */
  release(): void {
    this.#isReleased = true;
    this.#budget.giveBack(this.#bytes, this.#peer);
    this.#bytes = 0;
  }
}

const connectionHolds = new WeakMap<Socket, TextHold>();

/**
 * The hold for the parts of requests that the gateway keeps before it serves them. All requests of a connection
 * share it, and it is released when the connection closes.
 */
export function connectionHold({ heldText }: Pick<Gateway, 'heldText'>, socket: Socket): TextHold {
  const known = connectionHolds.get(socket);
  if (known !== undefined) return known;
  const hold = new TextHold(heldText, socket);
  connectionHolds.set(socket, hold);
  if (socket.destroyed) hold.release();
  else socket.once('close', () => hold.release());
  return hold;
}

/**
 * Gives `use` a hold. The hold is released when the response has been sent or its connection is closed,
 * since text that waits for a slow client is memory too. When `use` has failed, it is released as soon
 * as `returned` resolves: engine calls in flight still use the keys.
 */
export async function withTextHold(
  { gateway, req, res }: Exchange,
  use: (hold: TextHold) => Promise<void>,
  returned: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const hold = new TextHold(gateway.heldText, req.socket);
  try {
    await use(hold);
  } catch (error) {
    void returned().finally(() => hold.release());
    throw error;
  }
  if (res.closed || res.destroyed) hold.release();
  else res.once('close', () => hold.release());
}

const neverFits = (most: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The batch needs more memory than the ${most} bytes that one client may hold (4 x --batch-json-bytes). Send several requests with fewer items each.`,
    members: { limitBytes: most },
  });
