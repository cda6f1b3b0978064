/** HTTP/1.1 byte by byte, for requests that no client library sends, and for exact timing. */
import net from 'node:net';
import { checkResponse } from '../openapi/openapi.ts';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** `path: undefined` stands for bytes that are not a request; responses to HEAD have no body. */
export interface Expected {
  readonly method?: string;
  readonly path?: string | undefined;
}

export interface RawConnection {
  readonly socket: net.Socket;
  send(data: string | Uint8Array): void;
  /** Resolves with the next response, including a 100; checks it against openapi.yaml. */
  next(expected?: Expected): Promise<RawAnswer>;
  /** True when no bytes have arrived that `next` has not returned. */
  readonly silent: boolean;
  /** Waits for the server to close; resolves with whether it reset the connection, and the unread bytes. */
  closed(): Promise<{ reset: boolean; rest: Buffer }>;
  destroy(): void;
}

/** Connects to a port of this machine, from an address of it, or to a socket file. */
export async function connectRaw(
  where: number | string,
  localAddress = '127.0.0.1',
): Promise<RawConnection> {
  const target =
    typeof where === 'string'
      ? { path: where }
      : { port: where, host: '127.0.0.1', localAddress, noDelay: true };
  const socket = net.connect({ ...target, allowHalfOpen: true });
  let received = Buffer.alloc(0);
  let finished: 'end' | 'reset' | undefined;
  let wake = () => {};
  // `received` is a part of `memory`, which grows by doubling: a long response is not copied for each chunk.
  let memory = received;
  socket.on('data', (chunk: Buffer) => {
    const bytes = received.length + chunk.length;
    let start = received.byteOffset - memory.byteOffset;
    if (start + bytes > memory.length) {
      memory = Buffer.allocUnsafeSlow(Math.max(64 * 1024, 2 * bytes));
      received.copy(memory);
      start = 0;
    }
    chunk.copy(memory, start + received.length);
    received = memory.subarray(start, start + bytes);
    wake();
  });
  socket.on('end', () => finish('end'));
  socket.on('error', () => finish('reset'));
  socket.on('close', () => finish('end'));
  const finish = (how: 'end' | 'reset') => {
    finished ??= how;
    wake();
  };
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });

  /** Waits until `find` returns a value; resolves with undefined when the connection ended before. */
  async function await_<T>(find: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = find();
      if (found !== undefined || finished !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`nothing came; so far: ${received}`)),
          30_000,
        );
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async function next({ method = 'GET', path }: Expected = {}): Promise<RawAnswer> {
    const head = await await_(() => headOf(received));
    if (head === undefined) throw new Error(`no answer but ${finished}: ${received}`);
    received = received.subarray(head.bytes);
    const { status, headers } = head;
    if (status === 100) return { status, headers, body: Buffer.alloc(0) };
    const bodiless = method === 'HEAD' || status === 204 || status === 304;
    const length = bodiless ? 0 : Number(headers['content-length']);
    const isChunked = headers['transfer-encoding'] === 'chunked' && !bodiless;
    const found = await await_(() => {
      if (isChunked) return joinChunks(received);
      const bytes = Number.isNaN(length) && finished !== undefined ? received.length : length;
      if (!(received.length >= bytes)) return undefined;
      return { body: received.subarray(0, bytes), bytes };
    });
    if (found === undefined)
      throw new Error(`${received.length} of ${length} bytes, then ${finished}`);
    received = received.subarray(found.bytes);
    const { body } = found;
    checkResponse({ method, path, status, headers, body });
    return { status, headers, body };
  }

  return {
    socket,
    send: (data) => void socket.write(data),
    next,
    get silent() {
      return received.length === 0;
    },
    async closed() {
      await await_(() => undefined);
      return { reset: finished === 'reset', rest: received };
    },
    destroy: () => void socket.destroy(),
  };
}

/** Returns a chunked body and its length on the wire; undefined before it is complete. */
function joinChunks(received: Buffer): { body: Buffer; bytes: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = received.indexOf('\r\n', at);
    const size = Number.parseInt(received.toString('latin1', at, end), 16);
    const next = end + 2 + size + 2;
    if (end < 0 || received.length < next) return undefined;
    if (size === 0) return { body: Buffer.concat(chunks), bytes: next };
    chunks.push(received.subarray(end + 2, end + 2 + size));
    at = next;
  }
}

/** Uses a connection, closes it, and checks that no unexpected bytes arrived. */
export async function onConnection(
  port: number,
  work: (connection: RawConnection) => Promise<void>,
): Promise<void> {
  const connection = await connectRaw(port);
  try {
    await work(connection);
    if (!connection.silent) throw new Error('more came than was asked for');
  } finally {
    connection.destroy();
  }
}

/** Returns the slug of the problem in a response. */
export const slugOf = ({ body }: RawAnswer): string =>
  (JSON.parse(body.toString()) as { type: string }).type.replace('/problems/', '');

function headOf(received: Buffer) {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = received.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no status line: ${statusLine}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (headers[name] !== undefined) throw new Error(`${name} twice`);
    headers[name] = line.slice(colon + 1).trim();
  }
  return { bytes: end + 4, status, headers };
}

/** Returns the head of a request; adds a Host unless the headers name one. */
export function requestHead(
  method: string,
  target: string,
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const all = { Host: '127.0.0.1', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Returns a body in chunks, as sent on the wire. */
export function chunked(...chunks: readonly (string | Uint8Array)[]): Buffer {
  const parts = chunks.flatMap((chunk) => {
    const bytes = Buffer.from(chunk);
    return [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n'];
  });
  return Buffer.concat([...parts, '0\r\n\r\n'].map((part) => Buffer.from(part)));
}
