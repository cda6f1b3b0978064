import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import { plainDescriptorOf } from '../../../src/node-internals/socket-descriptor.ts';
import { socketPair } from '../../../src/os/socket-pair.ts';
import { writeToSocket } from '../../../src/os/socket-write.ts';
import { closesWithoutLoss, unsentBytes } from '../../../src/os/unsent-bytes.ts';
import { probeFeatures } from '../../helpers/process/node-features.ts';
import { until } from '../../helpers/process/until.ts';

interface Ends {
  readonly reader: net.Socket;
  readonly writer: net.Socket;
}
type Cleanup = { after(work: () => void): void };

/** Both ends of a connection over a Unix socket. */
function paired(t: Cleanup): Promise<Ends> {
  const [writer, reader] = socketPair();
  t.after(() => {
    reader.destroy();
    writer.destroy();
  });
  return Promise.resolve({ reader: reader.pause(), writer });
}

/** The same over TCP. */
async function connected(t: Cleanup): Promise<Ends> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').pause();
  const [writer] = (await once(server, 'connection')) as [net.Socket];
  t.after(() => {
    reader.destroy();
    writer.destroy();
    server.close();
  });
  return { reader, writer };
}

describe('unsentBytes', () => {
  before(() => probeFeatures());

  it('counts the bytes that the peer has not received, in any buffer, and is 0 at the end', async (t) => {
    const { reader, writer } = await connected(t);
    assert.equal(unsentBytes(writer), 0);
    const total = 24 << 20;
    for (let at = 0; at < 24; at++) writer.write(Buffer.alloc(1 << 20));
    let read = 0;
    reader.on('data', (chunk: Buffer) => (read += chunk.length));
    await until(() => (unsentBytes(writer) ?? 0) < total);
    const before = unsentBytes(writer) ?? 0;
    assert.ok(before > 0);
    assert.ok(before >= writer.writableLength - (1 << 20));
    reader.resume();
    await until(() => read === total && unsentBytes(writer) === 0);
  });

  for (const [kind, connect] of [
    ['TCP', connected],
    ['a Unix socket', paired],
  ] as const) {
    it(`falls while a slow reader of ${kind} reads, although Node sees no progress`, async (t) => {
      const { reader, writer } = await connect(t);
      writer.write(Buffer.alloc(24 << 20));
      const settled = { bytes: -1 };
      await until(() => {
        const now = unsentBytes(writer) ?? 0;
        const same = now === settled.bytes;
        settled.bytes = now;
        return same;
      });
      reader.on('readable', () => undefined);
      await until(() => {
        reader.read(65_536);
        return (unsentBytes(writer) ?? 0) < settled.bytes;
      });
      assert.equal(writer.writableLength, 24 << 20);
    });
  }

  it('is 0 at the end over a Unix socket, too', async (t) => {
    const { reader, writer } = await paired(t);
    writer.write(Buffer.alloc(1 << 20));
    assert.ok((unsentBytes(writer) ?? 0) > 0);
    let read = 0;
    reader.on('data', (chunk: Buffer) => (read += chunk.length)).resume();
    await until(() => read === 1 << 20 && unsentBytes(writer) === 0);
  });

  it('is undefined for a closed socket', async (t) => {
    const { writer } = await connected(t);
    writer.destroy();
    assert.equal(unsentBytes(writer), undefined);
  });
});

describe('closesWithoutLoss', () => {
  before(() => probeFeatures());

  for (const [kind, connect] of [
    ['TCP', connected],
    ['a Unix socket', paired],
  ] as const) {
    it(`is true on ${kind} until a byte arrives that is not read, or one is written through the socket`, async (t) => {
      const { reader, writer } = await connect(t);
      writeToSocket(plainDescriptorOf(writer), 'head', 'body', 'utf8');
      assert.equal(closesWithoutLoss(writer), true);
      reader.write('x');
      await until(() => !closesWithoutLoss(writer));
      assert.equal(closesWithoutLoss(reader), false);
    });
  }

  it('is false for a TLS connection, and for a closed socket', async (t) => {
    const { writer } = await connected(t);
    assert.equal(closesWithoutLoss(new TLSSocket(writer, { isServer: true })), false);
    writer.destroy();
    assert.equal(closesWithoutLoss(writer), false);
  });
});
