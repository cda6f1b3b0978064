/** Exchanges beyond one request and its response: pipelines, expectations, upgrades, closes, bodies in pieces. */
import { chunked } from '../../../helpers/http/raw-connection.ts';
import { bytesOf, type Exchange, type Expected, head, one, whole } from './exchange.ts';

const mebibyte = 1 << 20;
const large = bytesOf(3 * mebibyte);
const unsized = { 'Transfer-Encoding': 'chunked' };
const expect = { Expect: '100-continue' };
const goOn: Expected = [100, 'PUT', '/v1/objects/100'];

/** Each byte in its own packet. */
const byteByByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.of(byte));

const pieces: Exchange[] = [
  [
    {
      send: byteByByte(whole('PUT', '/v1/objects/bytes', {}, 'sized')),
      answers: [[201, 'PUT', '/v1/objects/bytes']],
    },
    {
      send: byteByByte(whole('PUT', '/v1/objects/bytes?ifExists=keep', unsized, chunked('a', 'b'))),
      answers: [[200, 'PUT', '/v1/objects/bytes?ifExists=keep']],
    },
    { send: [head('GET', '/v1/objects/bytes')], answers: [[200, 'GET', '/v1/objects/bytes']] },
  ],
  [
    {
      send: [whole('PUT', '/v1/objects/ended', {}, 'x')],
      ends: true,
      answers: [[201, 'PUT', '/v1/objects/ended']],
    },
  ],
  // Cut off inside the body: no response, and nothing is stored.
  [
    {
      send: [head('PUT', '/v1/objects/cut', { 'Content-Length': 9 }), 'x'],
      ends: true,
      answers: [],
    },
  ],
  [
    {
      send: [
        head('PUT', '/v1/layers/cut?sizes=9', {
          'Content-Type': 'application/vnd.safetensors',
          'Content-Length': 99,
        }),
      ],
      ends: true,
      answers: [],
    },
  ],
  [
    {
      send: [
        head('POST', '/v1/batch/put', { 'Content-Type': 'application/json', 'Content-Length': 99 }),
        '{',
      ],
      ends: true,
      answers: [],
    },
  ],
  one(404, 'GET', '/v1/objects/cut'),
];

const pipelines: Exchange[] = [
  [
    {
      send: [
        Buffer.concat(
          [1, 2, 3, 4].flatMap((n) => [
            whole('PUT', `/v1/objects/pipe/${n}`, {}, n % 2 === 0 ? large : `value ${n}`),
            whole('HEAD', `/v1/objects/pipe/${n}`),
            whole('GET', `/v1/objects/pipe/${n}`),
            whole('GET', '/nowhere'),
            whole('DELETE', `/v1/objects/pipe/${n}`),
            whole('GET', `/v1/objects/pipe/${n}`),
          ]),
        ),
      ],
      answers: [1, 2, 3, 4].flatMap((n): Expected[] => [
        [201, 'PUT', `/v1/objects/pipe/${n}`],
        [200, 'HEAD', `/v1/objects/pipe/${n}`],
        [200, 'GET', `/v1/objects/pipe/${n}`],
        [404, 'GET', '/nowhere'],
        [204, 'DELETE', `/v1/objects/pipe/${n}`],
        [404, 'GET', `/v1/objects/pipe/${n}`],
      ]),
    },
  ],
  [
    {
      send: [head('GET', '/v1/objects/bytes').repeat(3)],
      ends: true,
      answers: Array<Expected>(3).fill([200, 'GET', '/v1/objects/bytes']),
    },
  ],
  one(200, 'GET', '/v1/objects/bytes', { Connection: 'close' }),
  one(200, 'GET', '/livez', { Connection: 'close' }),
  [
    {
      send: ['GET /v1/objects/bytes HTTP/1.0\r\nHost: localhost\r\n\r\n'],
      answers: [[200, 'GET', '/v1/objects/bytes']],
    },
  ],
  [
    {
      send: [
        `PUT /v1/objects/old HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n${head('GET', '/v1/objects/old')}`,
      ],
      answers: [[201, 'PUT', '/v1/objects/old']],
    },
  ],
  [
    {
      send: [whole('PUT', 'http://127.0.0.1/v1/objects/absolute', {}, 'x')],
      answers: [[201, 'PUT', '/v1/objects/absolute']],
    },
    {
      send: [head('GET', 'http://127.0.0.1/v1/objects/absolute')],
      answers: [[200, 'GET', '/v1/objects/absolute']],
    },
    { send: [head('GET', 'http://127.0.0.1/livez')], answers: [[200, 'GET', '/livez']] },
    { send: [head('GET', 'http://127.0.0.1')], answers: [[200, 'GET', '/']] },
  ],
  one(404, 'OPTIONS', '*'),
];

const invited: Exchange[] = [
  ...[{ 'Content-Length': 3 }, unsized, { 'Content-Length': 3, 'If-None-Match': '*' }].map(
    (headers, at): Exchange => [
      {
        send: [head('PUT', `/v1/objects/invited/${at}`, { ...headers, ...expect })],
        answers: [goOn],
      },
      {
        send: [headers === unsized ? chunked('abc') : 'abc'],
        answers: [[201, 'PUT', `/v1/objects/invited/${at}`]],
      },
    ],
  ),
  ...(
    [
      [413, '/v1/objects/no', { 'Content-Length': 8 * mebibyte + 1 }],
      [412, '/v1/objects/bytes', { 'Content-Length': 1, 'If-None-Match': '*' }],
      [412, '/v1/objects/no', { 'Content-Length': 1, 'If-Match': '*' }],
      [400, '/v1/objects/no?replicas=9', { 'Content-Length': 1 }],
      [400, '/v1/objects/%ff', { 'Content-Length': 1 }],
      [415, '/v1/objects/no', { 'Content-Length': 1, 'Content-Encoding': 'gzip' }],
      [400, '/v1/objects/no', { 'Content-Length': 1, 'Content-Range': 'bytes 0-0/1' }],
      [400, '/v1/objects/no', { 'Content-Length': 1, 'Content-Digest': 'x' }],
      [403, '/v1/objects/no', { 'Content-Length': 1, Host: 'evil.example' }],
      [405, '/v1/info/a', { 'Content-Length': 1 }],
      [404, '/nowhere', { 'Content-Length': 1 }],
      [422, '/v1/objects/no', { 'Content-Length': 0 }],
      [417, '/v1/objects/no', { 'Content-Length': 1, Expect: '200-ok' }],
    ] as const
  ).map(([status, path, headers]) => one(status, 'PUT', path, { ...expect, ...headers })),
  ...['/v1/objects/bytes', '/livez', '/openapi.json'].map((path) => one(200, 'GET', path, expect)),
  one(404, 'GET', '/nowhere', expect),
];

const upgrade = { Connection: 'Upgrade', Upgrade: 'h2c' };
const upgrades: Exchange[] = [
  // The requests behind the upgrade are ignored: the later exchanges still find the object.
  [
    {
      send: [
        head('GET', '/v1/objects/bytes', upgrade) + head('DELETE', '/v1/objects/bytes'),
        head('DELETE', '/v1/objects/bytes'),
      ],
      answers: [[200, 'GET', '/v1/objects/bytes']],
    },
  ],
  ...[{ 'Content-Length': 3 }, { 'Content-Length': large.length }, unsized].map(
    (headers, at): Exchange => {
      const body = headers === unsized ? chunked('abc') : at === 0 ? 'abc' : large;
      const path = `/v1/objects/upgraded/${at}`;
      return [
        {
          send: [head('GET', '/livez') + head('PUT', path, { ...headers, ...upgrade }), body],
          answers: [
            [200, 'GET', '/livez'],
            [201, 'PUT', path],
          ],
        },
      ];
    },
  ),
  one(200, 'GET', '/livez', upgrade),
  one(200, 'GET', '/v1/objects/bytes', { Upgrade: 'x' }),
];

/** Checks of the head, which run before either lane. */
const heads: Exchange[] = [
  ...['/v1/objects/a', '/v1/clients', '/docs', '/livez', '/nowhere'].map((path) =>
    one(403, 'GET', path, { Host: 'evil.example' }),
  ),
  one(404, 'GET', '/v1/objects/a', { Host: 'localhost:1', Origin: 'http://localhost:1' }),
  one(403, 'GET', '/v1/objects/a', { Host: 'localhost:1', Origin: 'null' }),
  one(403, 'GET', '/v1/objects/bytes', { 'Sec-Fetch-Site': 'cross-site' }),
  one(403, 'PUT', '/v1/objects/site', { 'Sec-Fetch-Site': 'same-site' }, 'x'),
  one(403, 'GET', '/v1/nothing', { 'Sec-Fetch-Site': 'cross-site' }),
  one(200, 'GET', '/openapi.json', { 'Sec-Fetch-Site': 'cross-site' }),
  one(200, 'GET', '/v1/objects/bytes', { 'Sec-Fetch-Site': 'same-origin' }),
  one(414, 'GET', `/v1/objects/a?x=${'y'.repeat(8192)}`),
  one(414, 'GET', `/nowhere?${'y'.repeat(8192)}`),
  [
    {
      send: ['GET /v1/objects/a HTTP/1.1\r\nX-Request-Id: the-same\r\n\r\n'],
      answers: [[400, 'GET', '/v1/objects/a']],
    },
  ],
];

export const connections: Readonly<Record<string, readonly Exchange[]>> = {
  'bodies in pieces and bodies that are cut off': pieces,
  'pipelines and the closes of connections': pipelines,
  'Expect: 100-continue': invited,
  upgrades,
  'refused heads': heads,
};
