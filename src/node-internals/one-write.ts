import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { isEncrypted, nodeFeature } from './node-features.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('one-write');

/** The state of a response's head in node:http, which others (compression, Express) read as well. */
interface HeadState {
  _header: string | null;
  _headerSent: boolean;
  /** Whether node:http closes the connection behind the response. */
  _last: boolean;
}

/** Headers that are the same in every response of a kind: joined once, since joining costs the time. */
export interface FixedHeaders {
  readonly list: readonly string[];
  readonly text: string;
}

export function fixedHeaders(list: readonly string[]): FixedHeaders {
  let text = '';
  for (let at = 0; at < list.length; at += 2) text += `${list[at]}: ${list[at + 1]}\r\n`;
  return { list, text };
}

export const noHeaders = fixedHeaders([]);

/** Bytes of a body that one system call takes together with its head. */
export const ONE_WRITE_BYTES = 14 * 1024;

/**
 * Sends a complete response with one write, and ends it: the body must write the head and itself to
 * the socket. node:http validates and joins each header and writes head and body
 * through writev, which together cost as much as an engine call, a dozen times over; for a small
 * response that is a quarter of all its time (docs/decisions/0002-one-write.md). The caller's header
 * values must have no line breaks.
 *
 * Returns false, without effect, when the response is not that simple: it has a Connection header of
 * its own, earlier bytes still wait for a slow reader, the connection has TLS, or this Node keeps its state elsewhere.
 */
export function sendInOneWrite(
  res: ServerResponse,
  status: number,
  fixed: FixedHeaders,
  headers: readonly string[],
  keepAliveMs: number,
  body: { write(socket: Socket, head: string): void },
): boolean {
  const { socket } = res;
  if (socket === null || socket.writableLength > 0 || res.headersSent) return false;
  if (res.hasHeader('Connection') || !feature.enabled || isEncrypted(socket)) return false;
  let head = statusLine(status) + fixed.text;
  for (let at = 0; at < headers.length; at += 2) {
    head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  }
  const isLast = !res.shouldKeepAlive;
  head += lastHeaders(keepAliveMs, isLast);
  res.statusCode = status;
  pretendHeadWasSent(res, isLast);
  body.write(socket, head);
  res.end();
  return true;
}

function pretendHeadWasSent(res: ServerResponse, isLast: boolean): void {
  const state = res as unknown as HeadState;
  state._header = ' ';
  state._headerSent = true;
  if (isLast) state._last = true;
}

const statusLines: string[] = [];
function statusLine(status: number): string {
  const line = statusLines[status] ?? `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  statusLines[status] = line;
  return line;
}

let madeSecond = 0;
let madeFor = 0;
let kept = '';
let closed = '';
/** Date and the headers about the connection, made once a second. */
function lastHeaders(keepAliveMs: number, isLast: boolean): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== madeSecond || keepAliveMs !== madeFor) {
    madeSecond = second;
    madeFor = keepAliveMs;
    const date = new Date(second * 1000).toUTCString();
    kept = `Date: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n\r\n`;
    closed = `Date: ${date}\r\nConnection: close\r\n\r\n`;
  }
  return isLast ? closed : kept;
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST_REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/**
 * Sends two responses on a connection of its own. The client must get exactly the bytes that were
 * written, and node:http must close the connection behind the last response.
 * @throws when it does not, or when this Node keeps its state elsewhere
 */
export async function probeOneWrite(): Promise<void> {
  const [inside, outside] = streamPair();
  const server = createServer();
  try {
    let sent = '';
    let received = '';
    await new Promise<void>((resolve, reject) => {
      server.on('request', (_req, res) => {
        try {
          sent += sendBare(res);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      outside.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        // The first response has ended by then.
        if (received === 'kept,') setImmediate(() => outside.write(LAST_REQUEST));
      });
      outside.once('end', resolve);
      server.emit('connection', inside);
      outside.write(REQUEST);
    });
    if (sent !== 'kept,last,' || received !== sent) {
      throw new Error(`the client got "${received}" instead of "${sent}"`);
    }
  } finally {
    inside.destroy();
    outside.destroy();
  }
}

/** Writes a response without a head. */
function sendBare(res: ServerResponse): string {
  const { socket } = res;
  if (socket === null) throw new Error('a response has no connection');
  const isLast = !res.shouldKeepAlive;
  const text = isLast ? 'last,' : 'kept,';
  pretendHeadWasSent(res, isLast);
  socket.write(text, 'latin1');
  res.end();
  if (!res.headersSent || !res.writableEnded) throw new Error('the response did not end');
  return text;
}
