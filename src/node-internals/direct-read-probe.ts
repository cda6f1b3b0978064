import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { interceptBody } from './body-tap.ts';
import { beginDirectRead, type Silencing, useSilencing } from './direct-read.ts';

/** More than one window, and no multiple of its size. */
const LARGE_BYTES = 300_001;
/** Small bodies before and behind large ones, since a parser may keep state from the last body. */
const BODY_BYTES = [LARGE_BYTES, 3, LARGE_BYTES + 1, 5];

type SocketPair = () => readonly [Socket, Socket];

/**
 * Receives bodies over connections of its own, the large ones read directly: every byte must be where
 * it belongs. Two connections after each other, since node:http uses a parser again for the next.
 * Tries each way of silencing a parser, and keeps the first that works. Rejects when none does.
 */
export async function probeDirectRead(socketPair: SocketPair): Promise<void> {
  const faults: string[] = [];
  for (const how of ['clear', 'forget'] as const) {
    const fault = await faultOf(socketPair, how);
    if (fault === undefined) {
      useSilencing(how);
      return;
    }
    faults.push(`${how}: ${fault}`);
  }
  throw new Error(faults.join('; '));
}

async function faultOf(socketPair: SocketPair, how: Silencing): Promise<string | undefined> {
  try {
    for (let connection = 0; connection < 2; connection += 1) {
      await exchange(socketPair, how);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function exchange(socketPair: SocketPair, how: Silencing): Promise<void> {
  const [inside, outside] = socketPair();
  const text = pattern(LARGE_BYTES + 100);
  // Each begins elsewhere, so that bytes of another body are found.
  const bodies = BODY_BYTES.map((bytes, at) => text.subarray(7 * at, 7 * at + bytes));
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('clientError', reject);
      for (const socket of [inside, outside]) socket.once('error', reject);
      serve(server, bodies, how, (fault) => {
        if (fault === undefined) resolve();
        else reject(new Error(fault));
      });
      server.emit('connection', inside);
      outside.resume();
      outside.write(Buffer.concat(bodies.map(requestWith)));
    });
  } finally {
    inside.destroy();
    outside.destroy();
  }
}

function serve(
  server: Server,
  bodies: readonly Buffer[],
  how: Silencing,
  settle: (fault: string | undefined) => void,
): void {
  let served = 0;
  server.on('request', (req, res) => {
    const at = served;
    const expected = bodies[at];
    served += 1;
    if (expected === undefined) return settle('there are more requests than were sent');
    receive(req, expected.length, how, (body, directBytes, fault) => {
      const isLarge = expected.length >= LARGE_BYTES;
      if (fault !== undefined) settle(`body ${at}: ${fault}`);
      else if (!body.equals(expected)) settle(`body ${at} has wrong bytes`);
      else if (directBytes > 0 !== isLarge) settle(`body ${at} had ${directBytes} direct bytes`);
      else if (served === bodies.length) settle(undefined);
      res.end();
    });
  });
}

/** Throws nothing, since a parser calls it: `use` gets the fault. */
function receive(
  req: IncomingMessage,
  length: number,
  how: Silencing,
  use: (body: Buffer, directBytes: number, fault: string | undefined) => void,
): void {
  const body = Buffer.alloc(length);
  let at = 0;
  let directBytes = 0;
  let fault: string | undefined;
  interceptBody(req, {
    chunk(chunk) {
      if (at + chunk.length > length) fault = 'the parser passed on bytes that were read directly';
      else body.set(chunk, at);
      at += chunk.length;
    },
    end() {
      if (fault === undefined && at !== length) fault = `${at} of ${length} bytes arrived`;
      use(body, directBytes, fault);
    },
  });
  if (length < LARGE_BYTES) return;
  beginDirectRead(
    req.socket,
    {
      next: () => body.subarray(at),
      filled(bytes) {
        directBytes += bytes;
        at += bytes;
      },
      missing: () => Math.max(0, length - at),
    },
    how,
  );
}

const requestWith = (body: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);

function pattern(bytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = at * 2_654_435_761;
  return Buffer.from(words.buffer).subarray(0, bytes);
}
