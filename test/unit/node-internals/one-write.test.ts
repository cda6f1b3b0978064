import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { before, describe, it } from 'node:test';
import type { HeaderList } from '../../../src/http/response/headers.ts';
import {
  fixedHeaders,
  noHeaders,
  ONE_WRITE_BYTES,
  sendInOneWrite,
} from '../../../src/node-internals/one-write.ts';

import { probeFeatures } from '../../helpers/process/node-features.ts';

const keepAliveMs = 75_000;

interface Answer {
  readonly status: number;
  readonly fixed?: HeaderList;
  readonly headers: HeaderList;
  readonly body: string;
  readonly encoding: 'latin1' | 'utf8';
}

/** The bytes that a client receives for sequential requests; `send` responds to each. */
async function received(
  request: string,
  send: (res: ServerResponse, turn: number) => void,
  answers: number,
): Promise<string> {
  let turn = 0;
  // The last request ends the connection, so that all earlier bytes are known to be complete.
  const last = request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  const socket = new net.Socket();
  const ask = () => void socket.write(turn + 1 < answers ? request : last);
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (_req, res) => {
    res.once('finish', () => {
      if (turn < answers) ask();
    });
    send(res, turn++);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.connect((server.address() as AddressInfo).port, '127.0.0.1', ask);
      let text = '';
      socket.setEncoding('latin1');
      socket.on('error', reject);
      socket.on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('end', () => resolve(text.replaceAll(/^Date: .*\r\n/gm, '')));
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const written = (body: string, encoding: 'latin1' | 'utf8') => ({
  write: (socket: net.Socket, head: string) =>
    void socket.write(Buffer.concat([Buffer.from(head), Buffer.from(body, encoding)])),
});

const documented =
  ({ status, fixed = [], headers, body, encoding }: Answer) =>
  (res: ServerResponse): void => {
    res.writeHead(status, [...fixed, ...headers]);
    res.end(body, encoding);
  };

const answers: Answer[] = [
  {
    status: 200,
    fixed: ['Content-Type', 'application/octet-stream', 'Accept-Ranges', 'bytes'],
    headers: ['Content-Length', '4'],
    body: '\u0000\u00ff\r\n',
    encoding: 'latin1',
  },
  { status: 200, headers: ['Content-Length', '3'], body: '\u20ac', encoding: 'utf8' },
  { status: 201, headers: ['Content-Length', '0', 'Location', '/a'], body: '', encoding: 'utf8' },
  { status: 204, headers: ['Cache-Control', 'no-store'], body: '', encoding: 'utf8' },
  { status: 206, headers: ['Content-Length', '1'], body: 'x', encoding: 'latin1' },
  { status: 304, headers: ['Cache-Control', 'no-store'], body: '', encoding: 'utf8' },
  {
    status: 200,
    headers: ['Content-Length', String(ONE_WRITE_BYTES)],
    body: 'x'.repeat(ONE_WRITE_BYTES),
    encoding: 'latin1',
  },
];

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('sendInOneWrite', () => {
  before(() => probeFeatures());

  it('sends the same bytes as node:http, keeps the connection usable, and closes it behind the last', async () => {
    for (const answer of answers) {
      const { status, fixed = [], headers, body, encoding } = answer;
      let taken = 0;
      const actual = await received(
        get,
        (res) => {
          if (
            sendInOneWrite(
              res,
              status,
              fixedHeaders(fixed),
              headers,
              keepAliveMs,
              written(body, encoding),
            )
          )
            taken++;
          else documented(answer)(res);
        },
        5,
      );
      assert.equal(actual, await received(get, documented(answer), 5));
      assert.equal(taken, 5, `${status}`);
    }
  });

  it('declines a Connection header that is set, without any effect', async () => {
    const body = 'x';
    const headers = ['Content-Length', String(body.length)];
    const text = await received(
      get,
      (res) => {
        res.setHeader('Connection', 'close');
        assert.equal(
          sendInOneWrite(res, 200, noHeaders, headers, keepAliveMs, written(body, 'latin1')),
          false,
        );
        assert.equal(res.headersSent, false);
        documented({ status: 200, headers, body, encoding: 'latin1' })(res);
      },
      1,
    );
    assert.ok(text.endsWith(body));
  });

  it('declines while earlier bytes wait for a slow reader, and a response that has begun', async () => {
    const verdicts: boolean[] = [];
    await received(
      get,
      (res) => {
        const { socket } = res;
        socket?.cork();
        res.writeHead(200, ['Content-Length', '1']);
        res.flushHeaders();
        verdicts.push(
          sendInOneWrite(
            res,
            200,
            noHeaders,
            ['Content-Length', '1'],
            keepAliveMs,
            written('x', 'latin1'),
          ),
        );
        socket?.uncork();
        verdicts.push(
          sendInOneWrite(
            res,
            200,
            noHeaders,
            ['Content-Length', '1'],
            keepAliveMs,
            written('x', 'latin1'),
          ),
        );
        res.end('x');
      },
      2,
    );
    assert.deepEqual(verdicts, [false, false, false, false]);
  });

  it('closes the connection of an HTTP/1.0 client behind the response', async () => {
    const answer: Answer = {
      status: 200,
      headers: ['Content-Length', '1'],
      body: 'x',
      encoding: 'latin1',
    };
    const { status, headers, body, encoding } = answer;
    const old = get.replace('1.1', '1.0');
    let taken = 0;
    const actual = await received(
      old,
      (res) => {
        if (sendInOneWrite(res, status, noHeaders, headers, keepAliveMs, written(body, encoding)))
          taken++;
      },
      1,
    );
    assert.equal(actual, await received(old, documented(answer), 1));
    assert.equal(taken, 1);
  });

  it('marks the response as finished, so that it finishes and closes like any other', async () => {
    const seen: string[] = [];
    await received(
      get,
      (res) => {
        res.once('finish', () => seen.push('finish'));
        res.once('close', () => seen.push('close'));
        const sent = sendInOneWrite(
          res,
          201,
          noHeaders,
          ['Content-Length', '0'],
          keepAliveMs,
          written('', 'utf8'),
        );
        if (sent)
          assert.deepEqual([res.headersSent, res.writableEnded, res.statusCode], [true, true, 201]);
        else
          documented({ status: 201, headers: ['Content-Length', '0'], body: '', encoding: 'utf8' })(
            res,
          );
      },
      3,
    );
    assert.deepEqual(seen, Array<string[]>(3).fill(['finish', 'close']).flat());
  });
});
