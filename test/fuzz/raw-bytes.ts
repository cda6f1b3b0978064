/** Bytes on a connection that are almost HTTP: mutated requests, smuggling shapes, pipelines. */
import type { FuzzRequest, Random } from './valid-requests.ts';
import { validRequest } from './valid-requests.ts';

/** The longest body in a pipeline; mutations of large bodies find nothing new. */
const MOST_BODY = 5000;

const head = ({ method, path, headers }: FuzzRequest, more: readonly string[]): string => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...lines, ...more, '', ''].join('\r\n');
};

function bytesOf(request: FuzzRequest, random: Random, more: readonly string[]): Buffer {
  const { body } = request;
  if (body === undefined) return Buffer.from(head(request, more));
  const sent = body.subarray(0, MOST_BODY);
  if (random.chance(0.7)) {
    const length = `Content-Length: ${sent.length}`;
    return Buffer.concat([Buffer.from(head(request, [...more, length])), sent]);
  }
  const size = random.pick([
    sent.length.toString(16),
    `00${sent.length.toString(16)};a="b"`,
    `${sent.length.toString(16)} `,
  ]);
  return Buffer.concat([
    Buffer.from(`${head(request, [...more, 'Transfer-Encoding: chunked'])}${size}\r\n`),
    ...[sent, Buffer.from('\r\n0\r\n\r\n')],
  ]);
}

/** Lines that a proxy and a server may understand differently (RFC 9112 §6, §11.2). */
const CONFUSING = [
  ...['Content-Length: 5', 'Content-Length: 5, 6', 'Content-Length: +5', 'Content-Length: 0x5'],
  ...['Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length : 5'],
  ...['Content-Length:', 'Content-Length: 5\r\nContent-Length: 6', 'Content_Length: 5'],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: identity',
  ],
  ...[
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: xchunked',
  ],
  ...['Transfer-Encoding: chunked\r\nTransfer-Encoding: x', ' Transfer-Encoding: chunked'],
  ...[
    'X: y\r\n z',
    'X: y\n\nGET / HTTP/1.1',
    'X\0: y',
    'X: \0',
    'Host: other',
    'Host:',
    'Upgrade: h2c',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: nonsense',
    'Connection: close',
    'Connection: upgrade, close',
  ],
  ...['Content-Encoding: gzip', 'Content-Range: bytes 0-1/2', 'Trailer: X', 'TE: trailers'],
  ...[
    'Content-Digest: sha-256=:AAAA:',
    'Range: bytes=0-0,2-3',
    'Range: bytes=a',
    'Origin: https://e.vil',
  ],
  `X: ${'y'.repeat(20_000)}`,
];

/** Words at wrong places. */
const WORDS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    '\t',
    ':',
    '%',
    '%00',
    '%ff',
    '%2f',
    '?',
    '#',
    '..',
    '//',
    '\xff',
  ],
  ...['0\r\n\r\n', 'ffffffffffffffff\r\n', '-1\r\n', 'GET ', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ...['HTTP/1.0', 'HTTP/9.9', 'CONNECT a:1 HTTP/1.1\r\n\r\n', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n'],
  ...['\x16\x03\x01\x00\x05', '{', '"', ']', '\\ud800', '--x', '--x--\r\n'],
];

function mutated(bytes: Buffer, random: Random): Buffer {
  let now = bytes;
  for (let times = random.between(1, 5); times > 0; times -= 1) {
    // The head is short, and mutations of it matter most.
    const at = random.between(
      0,
      random.chance(0.7) ? Math.min(300, now.length + 1) : now.length + 1,
    );
    const rest = now.subarray(Math.min(now.length, at + random.between(0, 4)));
    const word = Buffer.from(random.pick(WORDS), 'latin1');
    const dice = random.next();
    if (dice < 0.4) now = Buffer.concat([now.subarray(0, at), word, now.subarray(at)]);
    else if (dice < 0.6) now = Buffer.concat([now.subarray(0, at), rest]);
    else if (dice < 0.9)
      now = Buffer.concat([now.subarray(0, at), Buffer.from([random.between(0, 256)]), rest]);
    else now = Buffer.concat([now.subarray(0, at), now]);
  }
  return now;
}

const smallRequest = (random: Random): FuzzRequest => {
  const request = validRequest(random);
  const isLong =
    request.headers['Content-Type'] === 'application/json' &&
    (request.body?.length ?? 0) > MOST_BODY;
  return isLong ? smallRequest(random) : request;
};

export interface RawGame {
  readonly bytes: Buffer;
  /** Requests that were put into the bytes. */
  readonly requests: number;
  /** `end` half-closes, `reset` and `leave` close at once, the latter after the first byte of a response. */
  readonly finish: 'end' | 'reset' | 'leave';
}

/** The bytes of one connection, at most `limit` requests. */
export function rawGame(random: Random, authorization: readonly string[], limit: number): RawGame {
  const requests = Math.min(limit, random.pick([1, 1, 2, 3, 6, 12]));
  const parts = Array.from({ length: requests }, () => {
    const confusing = random.chance(0.4) ? [random.pick(CONFUSING)] : [];
    const part = bytesOf(smallRequest(random), random, [...authorization, ...confusing]);
    return random.chance(0.5) ? mutated(part, random) : part;
  });
  const all = Buffer.concat(parts);
  // A third of the connections end inside a head or a body.
  const bytes = random.chance(0.33) ? all.subarray(0, random.between(0, all.length + 1)) : all;
  return { bytes, requests, finish: random.pick(['end', 'end', 'end', 'reset', 'leave']) };
}
