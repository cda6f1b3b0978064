import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { peerHasLeft } from '../../../src/native/peer-state.ts';
import { socketPair } from '../../../src/native/socket-pair.ts';
import { until } from '../../helpers/until.ts';

describe('peerHasLeft', () => {
  for (const how of ['end', 'destroy', 'reset'] as const) {
    it(`sees a peer leave with ${how}, though nothing is read`, async (t) => {
      const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      t.after(() => socket.destroy());
      client.write(Buffer.alloc(1000));
      assert.equal(peerHasLeft(socket), false);
      if (how === 'reset') client.resetAndDestroy();
      else client[how]();
      await until(() => peerHasLeft(socket));
      client.destroy();
    });
  }

  for (const how of ['end', 'destroy'] as const) {
    it(`sees a peer leave a Unix socket with ${how}, behind bytes that were not read`, async (t) => {
      const [left, right] = socketPair();
      t.after(() => left.destroy());
      left.pause();
      await new Promise((resolve) => right.write('unread', resolve));
      assert.equal(peerHasLeft(left), false);
      right[how]();
      await until(() => peerHasLeft(left));
      right.destroy();
    });
  }

  it('takes nobody for gone of whom it cannot tell', () => {
    assert.equal(peerHasLeft({}), false);
    assert.equal(peerHasLeft(new net.Socket()), false);
    assert.equal(peerHasLeft({ _handle: { fd: 1 << 20 } }), false);
  });
});
