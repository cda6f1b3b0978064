import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { before, describe, it } from 'node:test';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { lastUnreadBytes, peerHasLeft } from '../../../src/os/peer-state.ts';
import { socketPair } from '../../../src/os/socket-pair.ts';
import { unreadConnection } from '../../helpers/http/unread-connection.ts';
import { probeFeatures } from '../../helpers/process/node-features.ts';
import { until } from '../../helpers/process/until.ts';

describe('peerHasLeft', () => {
  before(() => probeFeatures());

  for (const [how, state] of [
    ['end', 'on'],
    ['destroy', 'on'],
    ['reset', 'on'],
    ['end', 'failed'],
    ['reset', 'failed'],
  ] as const) {
    it(`${how === 'reset' ? 'detects' : 'does not detect'} a peer that disconnects with ${how} over TCP without a read, with descriptors ${state}`, async (t) => {
      setFeature('socket-descriptor', state);
      t.after(() => setFeature('socket-descriptor', 'on'));
      const [socket, client] = await unreadConnection(t, 'TCP');
      client.write(Buffer.alloc(1000));
      assert.equal(peerHasLeft(socket), false);
      if (how === 'reset') {
        client.resetAndDestroy();
        await until(() => peerHasLeft(socket));
        return;
      }
      client[how]();
      // The end has been received when it has been read.
      socket.resume();
      await once(socket, 'end');
      assert.equal(peerHasLeft(socket), false);
      client.destroy();
    });
  }

  it('detects that a peer closes a Unix socket after unread bytes, but not that it ends its side', async (t) => {
    const [left, right] = socketPair();
    t.after(() => left.destroy());
    left.pause();
    await new Promise((resolve) => right.write('unread', resolve));
    await new Promise<void>((resolve) => right.end(resolve));
    assert.equal(peerHasLeft(left), false);
    right.destroy();
    await until(() => peerHasLeft(left));
  });

  it('is false if the state is unknown', () => {
    assert.equal(peerHasLeft({}), false);
    assert.equal(peerHasLeft(new net.Socket()), false);
    assert.equal(peerHasLeft({ _handle: { fd: 1 << 20 } }), false);
  });
});

describe('lastUnreadBytes', () => {
  before(() => probeFeatures());

  for (const [kind, state] of [
    ['TCP', 'on'],
    ['TCP', 'failed'],
    ['Unix', 'on'],
  ] as const) {
    it(`counts the unread bytes before the end of a ${kind} peer, with descriptors ${state}`, async (t) => {
      setFeature('socket-descriptor', state);
      t.after(() => setFeature('socket-descriptor', 'on'));
      const [inside, outside] = await unreadConnection(t, kind);
      await new Promise((resolve) => outside.write(Buffer.alloc(1000), resolve));
      assert.equal(lastUnreadBytes(inside), undefined);
      outside.end();
      await until(() => lastUnreadBytes(inside) === 1000);
      inside.resume();
      await once(inside, 'end');
      assert.equal(lastUnreadBytes(inside), 0);
    });
  }

  it('is undefined without an open connection', () => {
    assert.equal(lastUnreadBytes({}), undefined);
    assert.equal(lastUnreadBytes(new net.Socket()), undefined);
    assert.equal(lastUnreadBytes({ _handle: { fd: 1 << 20 } }), undefined);
  });
});
