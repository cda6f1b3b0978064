import { IncomingMessage } from 'node:http';

/** What takes a body as the parser finds it. */
export interface BodyTap {
  /** The chunk is the taker's until this returns. */
  chunk(chunk: Buffer): void;
  /** The body has come whole. */
  end(): void;
}

const tapped = Symbol('tap');

interface Tappable {
  /** What node:http gives a body's chunks to, and null at its end. */
  push(chunk: Buffer | null): boolean;
  /** Set when somebody reads the body, so that node:http does not read it away behind the response. */
  _consuming: boolean;
  [tapped]?: BodyTap | undefined;
}

/**
 * Hands a request's body to a tap, first of all what has come of it already. A chunk goes from the
 * parser to its place in one call: no stream buffers it, no event announces it, no queue delays it,
 * which together cost a small body as much as to be stored (docs/decisions/0006-bodies.md). `close`
 * is still to be listened for: it tells that the client went away before the end.
 */
export function tapBody(req: IncomingMessage, tap: BodyTap): void {
  // To read is also what lets a parser go on that was told to wait for a reader.
  while (req.readableLength > 0) tap.chunk(req.read() as Buffer);
  if (req.complete) {
    tap.end();
    return;
  }
  const message = req as unknown as Tappable;
  message._consuming = true;
  message[tapped] = tap;
  message.push = pushToTap;
}

/** Makes a body a stream again: from now on it is buffered for whoever reads it. */
export function untapBody(req: IncomingMessage): void {
  const message = req as unknown as Tappable;
  if (message[tapped] === undefined) return;
  message[tapped] = undefined;
  message.push = streamPush;
}

const streamPush = Reflect.get(IncomingMessage.prototype, 'push') as Tappable['push'];

/**
 * For a request that announces no body: node:http would read it away behind the response all the
 * same, as a stream, with its events and turns of queues; of a small GET that is a thirtieth.
 */
export function skipBody(req: IncomingMessage): void {
  const message = req as unknown as Tappable;
  message._consuming = true;
  message.push = pushToNobody;
}

const pushToNobody = (): boolean => true;

function pushToTap(this: Tappable, chunk: Buffer | null): boolean {
  if (chunk === null) this[tapped]?.end();
  else this[tapped]?.chunk(chunk);
  return true;
}
