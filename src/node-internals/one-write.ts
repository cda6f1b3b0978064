import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { nodeFeature } from './node-features.ts';

const feature = nodeFeature('one-write');

/** The state of a response's head in node:http, which others (compression, Express) read as well. */
interface HeadState {
  _header: string | null;
  _headerSent: boolean;
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

/** libuv takes a string of up to 16 KiB with one system call and no memory of its own. */
export const ONE_WRITE_BYTES = 14 * 1024;

/**
 * Sends a complete response as one string with one write, and ends it. node:http validates and
 * joins each header and writes head and body through writev, which together cost as much as an
 * engine call, a dozen times over; for a small response that is a quarter of all its time
 * (docs/decisions/0002-one-write.md). The caller's header values must have no line breaks.
 *
 * Returns false, without effect, when the response is not that simple: its connection will be
 * closed, earlier bytes still wait for a slow reader, or this Node keeps its state elsewhere.
 */
export function sendInOneWrite(
  res: ServerResponse,
  status: number,
  fixed: FixedHeaders,
  headers: readonly string[],
  keepAliveMs: number,
  body: string,
  encoding: 'latin1' | 'utf8',
): boolean {
  const { socket } = res;
  if (socket === null || socket.writableLength > 0 || res.headersSent) return false;
  if (!res.shouldKeepAlive || res.hasHeader('Connection')) return false;
  if (body.length > ONE_WRITE_BYTES || !feature.enabled) return false;
  let head = statusLine(status) + fixed.text;
  for (let at = 0; at < headers.length; at += 2) {
    head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  }
  head += lastHeaders(keepAliveMs);
  res.statusCode = status;
  pretendHeadWasSent(res);
  // Heads are ASCII, for which latin1 is the cheaper name.
  socket.write(head + body, body === '' ? 'latin1' : encoding);
  res.end();
  return true;
}

function pretendHeadWasSent(res: ServerResponse): void {
  const state = res as unknown as HeadState;
  state._header = ' ';
  state._headerSent = true;
}

const statusLines: string[] = [];
function statusLine(status: number): string {
  const line = statusLines[status] ?? `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  statusLines[status] = line;
  return line;
}

let madeSecond = 0;
let madeFor = 0;
let last = '';
/** Date and the headers about the connection, made once a second. */
function lastHeaders(keepAliveMs: number): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== madeSecond || keepAliveMs !== madeFor) {
    madeSecond = second;
    madeFor = keepAliveMs;
    const date = new Date(second * 1000).toUTCString();
    last = `Date: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n\r\n`;
  }
  return last;
}

/**
 * Sends a response into a sink, which must get exactly the bytes that were written.
 * @throws when it does not, or when this Node keeps its state elsewhere.
 */
export function probeOneWrite(): void {
  let written = '';
  const sink = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      written += chunk.toString('latin1');
      done();
    },
  });
  try {
    const request = { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} };
    const res = new ServerResponse(request as unknown as IncomingMessage);
    res.assignSocket(sink as unknown as Socket);
    pretendHeadWasSent(res);
    sink.write('whole', 'latin1');
    res.end();
    if (written !== 'whole') throw new Error(`the sink got "${written}" instead of "whole"`);
    if (!res.headersSent || !res.writableEnded) throw new Error('the response did not end');
  } finally {
    sink.destroy();
  }
}
