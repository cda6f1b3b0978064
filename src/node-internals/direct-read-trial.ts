import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { tapBody } from './body-tap.ts';
import { readDirectly, trustDirectReading } from './direct-read.ts';

/** Larger than a window, and no multiple of anything. */
const BODY_BYTES = 700_001;
const DEADLINE_MS = 2_000;

/**
 * Direct reading stands on parts of Node that are not documented. So it is tried out before it is
 * used: over a pair of sockets two bodies are read directly, one of them behind another request, and
 * a small one in between as ever. Only when every byte is where it belongs are the bodies of clients
 * read so. Answers whether they are.
 */
export async function tryDirectReading(
  socketPair: () => readonly [Socket, Socket],
): Promise<boolean> {
  trustDirectReading(true);
  const works = await tryOut(socketPair).catch(() => false);
  trustDirectReading(works);
  return works;
}

async function tryOut(socketPair: () => readonly [Socket, Socket]): Promise<boolean> {
  const [inside, outside] = socketPair();
  const bodies = [BODY_BYTES, 3, BODY_BYTES + 1].map((bytes, seed) => pattern(bytes, seed));
  const server = createServer();
  try {
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), DEADLINE_MS);
      const settle = (works: boolean): void => {
        clearTimeout(timer);
        resolve(works);
      };
      let count = 0;
      server.on('request', (req, res) => {
        const expected = bodies[count++] as Buffer;
        receive(req, expected.length, (body, direct) => {
          const right = body.equals(expected) && direct === expected.length > BODY_BYTES / 2;
          if (!right || count === bodies.length) settle(right);
          res.end();
        });
      });
      for (const socket of [inside, outside]) socket.once('error', () => settle(false));
      server.emit('connection', inside);
      outside.resume();
      send(outside, bodies);
    });
  } finally {
    inside.destroy();
    outside.destroy();
  }
}

/** In two writes, of which the first ends in a body that is read directly from there on. */
function send(socket: Socket, bodies: readonly Buffer[]): void {
  const requests = bodies.map((body) =>
    Buffer.concat([
      Buffer.from(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`),
      body,
    ]),
  );
  socket.write(Buffer.concat(requests));
}

function receive(
  req: IncomingMessage,
  length: number,
  use: (body: Buffer, direct: boolean) => void,
): void {
  const body = Buffer.alloc(length);
  let at = 0;
  let direct = false;
  tapBody(req, {
    chunk(chunk) {
      body.set(chunk, at);
      at += chunk.length;
    },
    end: () => use(body, direct),
  });
  if (length < BODY_BYTES / 2) return;
  readDirectly(req.socket, {
    next: () => body.subarray(at),
    filled(bytes) {
      direct = true;
      at += bytes;
    },
    missing: () => length - at,
  });
}

function pattern(bytes: number, seed: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) body[at] = (at * 31 + (at >>> 8) + seed) & 0xff;
  return body;
}
