import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { before, describe, it } from 'node:test';
import { peerHasLeft } from '../../../src/native/peer-state.ts';
import { socketPair } from '../../../src/native/socket-pair.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { probeFeatures } from '../../helpers/node-features.ts';
import { until } from '../../helpers/until.ts';

describe('peerHasLeft', () => {
  before(() => probeFeatures());

  for (const [how, state] of [
    ['end', 'on'],
    ['destroy', 'on'],
    ['reset', 'on'],
    ['end', 'failed'],
    ['reset', 'failed'],
  ] as const) {
    it(`${how === 'reset' ? 'sees' : 'does not see'} a peer leave with ${how} over TCP, though nothing is read, with descriptors ${state}`, async (t) => {
      setFeature('socket-descriptor', state);
      t.after(() => setFeature('socket-descriptor', 'on'));
      const server = net
        .createServer({ pauseOnConnect: true, allowHalfOpen: true })
        .listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      t.after(() => socket.destroy());
      client.write(Buffer.alloc(1000));
      assert.equal(peerHasLeft(socket), false);
      if (how === 'reset') {
        client.resetAndDestroy();
        await until(() => peerHasLeft(socket));
        return;
      }
      client[how]();
      // The end is here once it has been read.
      socket.resume();
      await once(socket, 'end');
      assert.equal(peerHasLeft(socket), false);
      client.destroy();
    });
  }

  it('sees a peer close a Unix socket, behind bytes that were not read, and not that it ends its side', async (t) => {
    const [left, right] = socketPair();
    t.after(() => left.destroy());
    left.pause();
    await new Promise((resolve) => right.write('unread', resolve));
    await new Promise<void>((resolve) => right.end(resolve));
    assert.equal(peerHasLeft(left), false);
    right.destroy();
    await until(() => peerHasLeft(left));
  });

  it('takes nobody for gone of whom it cannot tell', () => {
    assert.equal(peerHasLeft({}), false);
    assert.equal(peerHasLeft(new net.Socket()), false);
    assert.equal(peerHasLeft({ _handle: { fd: 1 << 20 } }), false);
  });
});
