import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import { blockBody, textBody, type WholeBody } from '../../../../src/http/response/whole-body.ts';
import { setFeature } from '../../../../src/node-internals/node-features.ts';
import { plainDescriptorOf } from '../../../../src/node-internals/socket-descriptor.ts';
import { socketPair } from '../../../../src/os/socket-pair.ts';
import { smallArena } from '../../../helpers/engine/scripted-batches.ts';
import { probeFeatures } from '../../../helpers/process/node-features.ts';

const arena = smallArena(64 * 1024);
const pairs: (readonly [Socket, Socket])[] = [];

function connected(): readonly [Socket, Socket] {
  const pair = socketPair();
  pairs.push(pair);
  return pair;
}

/** The bytes of an object: no two lines are the same, and one byte is none of ASCII. */
function blockOf(lines: number) {
  const text = Array.from({ length: lines }, (_, at) => `line ${at} \u00ff\n`).join('');
  const bytes = Buffer.from(text, 'latin1');
  const block = arena.tryAllocate(bytes.length);
  assert.ok(block !== undefined);
  bytes.copy(block.view);
  return { block, bytes };
}

/** Writes bodies until the kernel takes no more, and then a few; returns what a late reader receives. */
async function writeToSlowReader(body: (turn: number) => WholeBody): Promise<Buffer> {
  const [ours, theirs] = connected();
  theirs.pause();
  let behind = 0;
  for (let turn = 0; behind < 3; turn += 1) {
    if (ours.writableLength > 0) behind += 1;
    body(turn).write(ours, `head ${turn}\n`);
  }
  ours.end();
  const chunks: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(theirs, 'end');
  return Buffer.concat(chunks);
}

describe('a whole body', () => {
  before(() => probeFeatures());
  after(() => probeFeatures());
  afterEach(() => {
    for (const socket of pairs.splice(0).flat()) socket.destroy();
  });

  for (const state of ['on', 'disabled'] as const) {
    it(`arrives complete and in order at a reader that the kernel cannot serve (descriptors ${state})`, async () => {
      setFeature('socket-descriptor', state);
      const received = await writeToSlowReader((turn) => textBody(`${turn} \u20ac\n`.repeat(500)));
      let expected = '';
      for (let turn = 0; expected.length < received.toString().length; turn += 1) {
        expected += `head ${turn}\n${`${turn} \u20ac\n`.repeat(500)}`;
      }
      assert.ok(received.equals(Buffer.from(expected)));

      const { block, bytes } = blockOf(600);
      const ofBlocks = await writeToSlowReader((turn) => blockBody(block, turn % 7, bytes.length));
      const parts: Buffer[] = [];
      for (let turn = 0, sum = 0; sum < ofBlocks.length; turn += 1) {
        const part = Buffer.concat([Buffer.from(`head ${turn}\n`), bytes.subarray(turn % 7)]);
        sum += part.length;
        parts.push(part);
      }
      assert.ok(ofBlocks.equals(Buffer.concat(parts)));
      block.release();
      setFeature('socket-descriptor', 'on');
    });
  }

  it('goes to the kernel at once, and not through the socket', async () => {
    const [ours, theirs] = connected();
    const { block, bytes } = blockOf(3);
    textBody('{}').write(ours, 'head\n');
    blockBody(block, 2, 9).write(ours, 'head\n');
    textBody('').write(ours, 'end');
    assert.deepEqual([ours.bytesWritten, ours.writableLength], [0, 0]);
    ours.end();
    let received = '';
    for await (const chunk of theirs.setEncoding('latin1')) received += chunk as string;
    assert.equal(received, `head\n{}head\n${bytes.toString('latin1', 2, 9)}end`);
    block.release();
  });

  it('of more bytes than the writer has room for goes through the socket', async () => {
    const [ours, theirs] = connected();
    const text = '\u20ac'.repeat(30_000);
    textBody(text).write(ours, 'head\n');
    assert.ok(ours.bytesWritten > 0);
    ours.end();
    let received = '';
    for await (const chunk of theirs.setEncoding('utf8')) received += chunk as string;
    assert.equal(received, `head\n${text}`);
  });

  it('reports a closed connection as an error of the socket', async () => {
    const [ours, theirs] = connected();
    theirs.destroy();
    await once(theirs, 'close');
    const failed = once(ours, 'error');
    textBody('{}').write(ours, 'head\n');
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'EPIPE');
    assert.equal(plainDescriptorOf(ours), -1);
  });

  it('is never written to the descriptor of a TLS connection, nor to a socket that has ended', () => {
    const [ours] = connected();
    assert.ok(plainDescriptorOf(ours) >= 0);
    assert.equal(plainDescriptorOf(new TLSSocket(ours, { isServer: true })), -1);
    const [ended] = connected();
    ended.end();
    assert.equal(plainDescriptorOf(ended), -1);
  });
});
