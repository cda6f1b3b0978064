import type { Socket } from 'node:net';
import { lastUnreadBytes } from '../../os/peer-state.ts';
import { type Caller, hasLeft, peerOf } from '../../scheduler/arena-room.ts';
import type { Exchange } from '../exchange.ts';
import { announcedLength } from '../request/framing.ts';

/**
 * The client of a request whose body the gateway may not have read to its end. While the request waits
 * for room, the gateway does not read the connection, and Node does not see that the client ends its
 * side. Without `hasEndedEarly`, the request would keep its place until it is served or refused.
 */
export class UploadingClient implements Caller {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get peer(): object | undefined {
    return peerOf(this.#socket);
  }

  get #socket(): Socket & Caller {
    return this.#exchange.req.socket;
  }

  get destroyed(): boolean {
    return hasLeft(this.#socket);
  }

  once(event: 'close', listener: () => void): void {
    this.#socket.once(event, listener);
  }

  off(event: 'close', listener: () => void): void {
    this.#socket.off(event, listener);
  }

  hasEndedEarly(): boolean {
    if (this.#exchange.req.complete) return false;
    const unreadBytes = lastUnreadBytes(this.#socket);
    if (unreadBytes === undefined) return false;
    // Node may have read bytes that its parser has not seen.
    return unreadBytes + this.#socket.readableLength < this.#missingBytes();
  }

  /**
   * The least number of bytes that complete the body. The length of a chunked body is not known; but
   * while it is incomplete, at least one byte is missing.
   */
  #missingBytes(): number {
    const { req, body } = this.#exchange;
    const length = announcedLength(req);
    return length === undefined ? 1 : length - (body?.receivedBytes ?? 0) - req.readableLength;
  }
}
