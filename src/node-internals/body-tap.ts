import { createServer, IncomingMessage } from 'node:http';
import { nodeFeature } from './node-features.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('body-tap');

/** What takes a body as the parser finds it. */
export interface BodyTap {
  /** The chunk is the taker's until this returns. */
  chunk(chunk: Buffer): void;
  /** The body has come whole. */
  end(): void;
}

const tapped = Symbol('tap');

interface Tapped {
  readonly onData: (chunk: Buffer) => void;
  readonly onEnd: () => void;
}
/** Requests whose body is read as a stream, the documented way. */
const listening = new WeakMap<IncomingMessage, Tapped>();

interface Tappable {
  /** What node:http gives a body's chunks to, and null at its end. */
  push(chunk: Buffer | null): boolean;
  /** Set while a consumer reads the body, so that node:http does not discard it behind the response. */
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
  if (feature.enabled) interceptBody(req, tap);
  else listen(req, tap);
}

/** As `tapBody` on a request of which no body byte has come, whether the feature is on or not. */
export function interceptBody(req: IncomingMessage, tap: BodyTap): void {
  const message = req as unknown as Tappable;
  message._consuming = true;
  message[tapped] = tap;
  message.push = pushToTap;
}

function listen(req: IncomingMessage, tap: BodyTap): void {
  const onData = (chunk: Buffer): void => tap.chunk(chunk);
  const onEnd = (): void => tap.end();
  listening.set(req, { onData, onEnd });
  req.on('data', onData);
  req.on('end', onEnd);
}

/** Makes a body a stream again, which is buffered until a reader resumes it. */
export function untapBody(req: IncomingMessage): void {
  const listeners = listening.get(req);
  if (listeners !== undefined) {
    listening.delete(req);
    req.off('data', listeners.onData);
    req.off('end', listeners.onEnd);
    // Without a listener a flowing stream would lose the next chunk.
    req.pause();
    return;
  }
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
  if (feature.enabled) skip(req);
}

function skip(req: IncomingMessage): void {
  const message = req as unknown as Tappable;
  message._consuming = true;
  message.push = discardChunk;
}

const discardChunk = (): boolean => true;

function pushToTap(this: Tappable, chunk: Buffer | null): boolean {
  if (chunk === null) this[tapped]?.end();
  else this[tapped]?.chunk(chunk);
  return true;
}

/**
 * Serves four requests on a connection of its own: a skipped body, one that is tapped in pieces, one
 * that becomes a stream again, and one that is read as a stream.
 */
export function probeBodyTap(): Promise<void> {
  const [inside, outside] = streamPair();
  const server = createServer();
  return new Promise<void>((resolve, reject) => {
    const seen: string[] = [];
    const note = (what: string) => (chunk: Buffer) => void seen.push(`${what} ${String(chunk)}`);
    server.on('clientError', reject);
    server.on('request', (req, res) => {
      seen.push(req.url ?? '');
      const end = (): void => void res.end();
      if (req.url === '/skip') {
        skip(req);
        end();
      } else if (req.url === '/tap') {
        interceptBody(req, { chunk: note('tap'), end });
      } else if (req.url === '/untap') {
        const chunk = (first: Buffer): void => {
          note('tap')(first);
          untapBody(req);
          req.on('data', note('data')).on('end', end);
        };
        interceptBody(req, {
          chunk,
          end: () => reject(new Error('an untapped body ended its tap')),
        });
      } else {
        req.on('data', note('data')).on('end', () => {
          const all = seen.join(', ');
          if (all === PROBE_RESULT) resolve();
          else reject(new Error(`the probe's requests were seen as: ${all}`));
        });
      }
    });
    server.emit('connection', inside);
    outside.on('data', () => undefined);
    const pieces = [
      'GET /skip HTTP/1.1\r\nHost: a\r\n\r\nPUT /tap HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab',
      'cdPUT /untap HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nef\r\n',
      '2\r\ngh\r\n0\r\n\r\nPUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nij',
    ];
    // Each in a turn of its own, so that the parser gets them one at a time.
    const send = (at: number): void => {
      const piece = pieces[at];
      if (piece === undefined) return;
      outside.write(piece);
      setImmediate(send, at + 1);
    };
    send(0);
  }).finally(() => {
    inside.destroy();
    outside.destroy();
  });
}

const PROBE_RESULT = '/skip, /tap, tap ab, tap cd, /untap, tap ef, data gh, /stream, data ij';
