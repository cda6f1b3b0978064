import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createLiveConnections } from '../../../../src/http/connection/live-connections.ts';
import { until } from '../../../helpers/process/until.ts';

describe('a drain', () => {
  it('waits for a connection that is still arriving, and lets its request finish', async (t) => {
    let arriving = 1;
    let looks = 0;
    const server = createServer((_req, res) => res.end('served'));
    const connections = createLiveConnections({
      server,
      inFlight: () => 0,
      arriving() {
        looks += 1;
        return arriving;
      },
    });
    const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    t.after(() => listener.close());
    const accepting = once(listener, 'connection') as Promise<[net.Socket]>;
    const client = net.connect((listener.address() as AddressInfo).port, '127.0.0.1');
    t.after(() => client.destroy());
    const [accepted] = await accepting;
    assert.equal(connections.count, 1);
    let hasEnded = false;
    const drained = connections.drain(60_000).finally(() => {
      hasEnded = true;
    });
    await until(() => hasEnded || looks > 20);
    assert.equal(hasEnded, false);
    arriving = 0;
    connections.accept(accepted);
    accepted.resume();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    assert.equal(await drained, true);
    await until(() => connections.count === 0);
  });
});
