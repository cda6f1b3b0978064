/** HTTP/1.1 byte by byte: for what no client library would send, and for when what arrives. */
import net from 'node:net';
import { checkResponse } from './openapi.ts';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** `path: undefined` for bytes that are no request; HEAD answers have no body. */
export interface Expected {
  readonly method?: string;
  readonly path?: string | undefined;
}

export interface RawConnection {
  readonly socket: net.Socket;
  send(data: string | Uint8Array): void;
  /** The next answer, a 100 too, held against openapi.yaml. */
  next(expected?: Expected): Promise<RawAnswer>;
  /** Nothing has come that was not asked for with `next`. */
  readonly silent: boolean;
  /** Waits for the server to close; `reset` when it broke the connection, and what was left over. */
  closed(): Promise<{ reset: boolean; rest: Buffer }>;
  destroy(): void;
}

/** To a port of this machine, or to a socket file. */
export async function connectRaw(where: number | string): Promise<RawConnection> {
  const target =
    typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1', noDelay: true };
  const socket = net.connect({ ...target, allowHalfOpen: true });
  let received = Buffer.alloc(0);
  let finished: 'end' | 'reset' | undefined;
  let wake = () => {};
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
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

  /** Waits until `find` gives something; undefined when the connection ended before. */
  async function await_<T>(find: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = find();
      if (found !== undefined || finished !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`nothing came; so far: ${received}`)),
          10_000,
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
    if (headers['transfer-encoding'] !== undefined) throw new Error('chunked is not understood');
    const body = Number.isNaN(length)
      ? await await_(() => (finished === undefined ? undefined : received))
      : await await_(() => (received.length >= length ? received.subarray(0, length) : undefined));
    if (body === undefined)
      throw new Error(`${received.length} of ${length} bytes, then ${finished}`);
    received = received.subarray(body.length);
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

/** Uses a connection, closes it, and sees that nothing came that was not asked for. */
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

/** The kind of problem that an answer tells of. */
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

/** The head of a request; a Host is added unless the headers name one. */
export function requestHead(
  method: string,
  target: string,
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const all = { Host: '127.0.0.1', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A body in chunks as they stand on the wire. */
export function chunked(...chunks: readonly (string | Uint8Array)[]): Buffer {
  const parts = chunks.flatMap((chunk) => {
    const bytes = Buffer.from(chunk);
    return [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n'];
  });
  return Buffer.concat([...parts, '0\r\n\r\n'].map((part) => Buffer.from(part)));
}
