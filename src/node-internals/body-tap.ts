import { createServer, IncomingMessage } from 'node:http';
import { isEncrypted, nodeFeature } from './node-features.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('body-tap');

/** Takes a body from the parser, chunk by chunk. */
export interface BodyInterceptor {
  /** The chunk may be used until this returns. */
  chunk(chunk: Buffer): void;
  /** The body is complete. */
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
  /** node:http passes each chunk of a body to this, and null at its end. */
  push(chunk: Buffer | null): boolean;
  /** Set while a consumer reads the body, so that node:http does not discard it behind the response. */
  _consuming: boolean;
  [tapped]?: BodyInterceptor | undefined;
}

/**
 * Passes the body of a request to a tap, first the bytes that have arrived already. Each chunk
 * takes one call from the parser to the tap, without a stream, events or queues, which cost a small
 * body as much time as the engine call that stores it (docs/decisions/0006-bodies.md). When the
 * client closes the connection inside the body, the request emits `close` and the tap gets no
 * `end`.
 */
export function tapBody(req: IncomingMessage, tap: BodyInterceptor): void {
  // Reading also resumes a parser that waits for a reader.
  while (req.readableLength > 0) tap.chunk(req.read() as Buffer);
  if (req.complete) {
    tap.end();
    return;
  }
  if (feature.enabled && !isEncrypted(req.socket)) interceptBody(req, tap);
  else listen(req, tap);
}

/** Like `tapBody` for a request without a body byte so far, whether the feature is on or not. */
export function interceptBody(req: IncomingMessage, tap: BodyInterceptor): void {
  const message = req as unknown as Tappable;
  message._consuming = true;
  message[tapped] = tap;
  message.push = pushToTap;
}

function listen(req: IncomingMessage, tap: BodyInterceptor): void {
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
 * For a request that announces no body: otherwise node:http discards the body as a stream after the
 * response, and its events and queues take a thirtieth of the time of a small GET.
 */
export function skipBody(req: IncomingMessage): void {
  if (feature.enabled && !isEncrypted(req.socket)) skip(req);
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
