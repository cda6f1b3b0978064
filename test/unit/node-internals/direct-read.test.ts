import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { tapBody, untapBody } from '../../../src/node-internals/body-tap.ts';
import { readDirectly, stopReadingDirectly } from '../../../src/node-internals/direct-read.ts';
import { nodeFeature, setFeature } from '../../../src/node-internals/node-features.ts';
import { probeFeatures } from '../../helpers/process/node-features.ts';
import { until } from '../../helpers/process/until.ts';

/** A body received like in the gateway, and the way it was received. */
interface Received {
  readonly body: Buffer;
  /** Bytes that the kernel wrote to their place. */
  readonly direct: number;
  /** Chunks that came through the parser. */
  readonly chunks: number;
}

function receive(req: IncomingMessage, done: (received: Received) => void) {
  const length = Number(req.headers['content-length']);
  const body = Buffer.alloc(length);
  let at = 0;
  let direct = 0;
  let chunks = 0;
  tapBody(req, {
    chunk(chunk) {
      chunks += 1;
      at += chunk.copy(body, at);
    },
    end: () => done({ body, direct, chunks }),
  });
  readDirectly(req.socket, {
    next: () => body.subarray(at),
    filled(bytes) {
      direct += bytes;
      at += bytes;
    },
    missing: () => length - at,
  });
  return {
    body,
    /** Bytes so far. */
    bytes: () => at,
    stop() {
      untapBody(req);
      stopReadingDirectly(req.socket);
    },
  };
}

const pattern = (bytes: number, seed: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 9) + seed) & 0xff));

const put = (body: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);

describe('direct reading', { timeout: 30_000 }, () => {
  let server: Server;
  let serve: RequestListener;
  before(async () => {
    server = createServer((req, res) => serve(req, res)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await probeFeatures();
    assert.equal(nodeFeature('direct-read').state, 'on', nodeFeature('direct-read').reason);
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function connect(): Promise<Socket> {
    const { port } = server.address() as AddressInfo;
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return socket;
  }

  const written = (socket: Socket, data: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.write(data, (error) => (error ? reject(error) : resolve()));
    });

  /** Sends `bodies` over one connection, in `pieces` of the stream, and returns the received ones. */
  async function exchange(bodies: readonly Buffer[], pieceBytes: number): Promise<Received[]> {
    const received: Received[] = [];
    serve = (req, res) => {
      receive(req, (each) => {
        received.push(each);
        res.end();
      });
    };
    const socket = await connect();
    let answers = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answers += text;
    });
    const stream = Buffer.concat(bodies.map(put));
    for (let at = 0; at < stream.length; at += pieceBytes) {
      await written(socket, stream.subarray(at, at + pieceBytes));
    }
    await until(() => received.length === bodies.length);
    await until(() => answers.split('HTTP/1.1 200 OK').length === bodies.length + 1);
    socket.destroy();
    return received;
  }

  it('writes every byte of consecutive bodies to its place, however they are split', async () => {
    const bodies = [1_000_000, 5, 300_000, 70_000, 1, 65_536, 900_001].map(pattern);
    for (const pieceBytes of [10_000_000, 65_536, 40_961, 1_000_003]) {
      const received = await exchange(bodies, pieceBytes);
      for (const [at, { body }] of received.entries()) {
        assert.ok(body.equals(bodies[at] as Buffer), `body ${at} in pieces of ${pieceBytes}`);
      }
      assert.ok((received[0]?.direct ?? 0) > 900_000, `${received[0]?.direct} bytes`);
      assert.ok((received[0]?.chunks ?? 9) <= 1, `${received[0]?.chunks} chunks`);
      assert.ok((received[6]?.direct ?? 0) > 800_000, `${received[6]?.direct} bytes`);
    }
  });

  it('leaves the parsers intact that other connections use next', async () => {
    for (let round = 0; round < 20; round++) {
      let gone = false;
      let bytes = () => 0;
      serve = (req) => {
        ({ bytes } = receive(req, () => assert.fail('not all has been sent')));
        req.once('close', () => {
          gone = true;
        });
      };
      const socket = await connect();
      const head = put(pattern(500_000, 1)).length - 500_000;
      await written(socket, put(pattern(500_000, 1)).subarray(0, head + 300_000));
      await until(() => bytes() === 300_000);
      if (round % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
      await until(() => gone);
      setFeature('direct-read', 'failed');
      const [plain] = await exchange([pattern(100_000, round)], 1_000_000);
      setFeature('direct-read', 'on');
      assert.ok(plain?.body.equals(pattern(100_000, round)));
      assert.equal(plain?.direct, 0);
    }
  });

  it('writes nothing after it was stopped, and the rest of the body can be discarded', async () => {
    let receiving: ReturnType<typeof receive> | undefined;
    let stop = (): void => undefined;
    let discarded = 0;
    serve = (req, res) => {
      receiving = receive(req, () => assert.fail('it was stopped'));
      stop = () => {
        receiving?.stop();
        receiving?.body.fill(0);
        req.on('data', (chunk: Buffer) => {
          discarded += chunk.length;
        });
        req.on('end', () => res.end());
      };
    };
    const body = pattern(1_000_000, 3);
    const stream = put(body);
    const sent = 400_000;
    const socket = await connect();
    await written(socket, stream.subarray(0, stream.length - body.length + sent));
    await until(() => receiving?.bytes() === sent);
    stop();
    socket.write(stream.subarray(stream.length - body.length + sent));
    // The response is sent when the whole body has arrived.
    await once(socket, 'data');
    assert.equal(discarded, body.length - sent);
    assert.ok(receiving?.body.every((byte) => byte === 0));
    socket.destroy();
  });

  it('reports an end in the middle of a body like node:http does', async () => {
    let error: (Error & { code?: string }) | undefined;
    server.once('clientError', (reported: Error, socket: Socket) => {
      error = reported;
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    serve = (req) => void receive(req, () => assert.fail('not all has been sent'));
    const socket = await connect();
    await written(socket, put(pattern(500_000, 1)).subarray(0, 300_000));
    socket.end();
    await once(socket.resume(), 'end');
    assert.equal(error?.code, 'HPE_INVALID_EOF_STATE');
  });

  it('detects malformed bytes after a body', async () => {
    let error: (Error & { code?: string }) | undefined;
    server.once('clientError', (reported: Error, socket: Socket) => {
      error = reported;
      socket.destroy();
    });
    let whole = false;
    serve = (req, res) => {
      receive(req, () => {
        whole = true;
        res.end();
      });
    };
    const socket = await connect();
    socket.write(Buffer.concat([put(pattern(500_000, 1)), Buffer.from('no request\r\n\r\n')]));
    await once(socket.resume(), 'end');
    socket.destroy();
    assert.ok(whole);
    assert.match(String(error?.code), /^HPE_/);
  });

  it('is not used with a Node that stores its state elsewhere', async () => {
    setFeature('direct-read', 'failed');
    const [received] = await exchange([pattern(500_000, 1)], 1_000_000);
    setFeature('direct-read', 'on');
    assert.ok(received?.body.equals(pattern(500_000, 1)));
    assert.equal(received?.direct, 0);
  });
});
