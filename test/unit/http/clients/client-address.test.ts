import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { ClientAddresses, setAddress } from '../../../../src/http/clients/client-address.ts';

/** The address of a request from `remoteAddress`, or over a Unix socket. */
function find(
  proxies: readonly string[],
  remoteAddress: string | undefined,
  forwarded?: string,
  others: Partial<net.Socket> = {},
) {
  const socket = { remoteAddress, destroyed: false, ...others };
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const request = { socket, headers } as unknown as IncomingMessage;
  return new ClientAddresses(proxies).of(request);
}

const addressOf = (...given: Parameters<typeof find>): string => find(...given).address;

describe('the address of a client', () => {
  it('is that of the connection if its other end is no trusted proxy', () => {
    assert.equal(addressOf([], '10.0.0.1', '192.0.2.1'), '10.0.0.1');
    assert.equal(addressOf(['10.0.0.2'], '10.0.0.1', '192.0.2.1'), '10.0.0.1');
    assert.equal(addressOf(['10.0.0.1'], '10.0.0.1'), '10.0.0.1');
  });

  it('is the rightmost in X-Forwarded-For that is no trusted proxy', () => {
    const proxies = ['10.0.0.0/8', '2001:db8:1::/48'];
    assert.equal(addressOf(proxies, '10.0.0.1', '192.0.2.1'), '192.0.2.1');
    assert.equal(addressOf(proxies, '10.0.0.1', '203.0.113.9, 192.0.2.1'), '192.0.2.1');
    assert.equal(addressOf(proxies, '10.0.0.1', '192.0.2.1,10.1.1.1 , 10.2.2.2'), '192.0.2.1');
    assert.equal(addressOf(proxies, '2001:db8:1::7', '2001:db8:2::1'), '2001:db8:2::1');
  });

  it('is the leftmost if all are trusted proxies', () => {
    assert.equal(addressOf(['10.0.0.0/8'], '10.0.0.1', '10.0.0.3, 10.0.0.2'), '10.0.0.3');
  });

  it('is that of the last trusted proxy where the next text is no address', () => {
    for (const nonsense of ['', 'unknown', '_hidden', '1.2.3', '1.2.3.4.5', '[::1', 'x, , ']) {
      assert.equal(addressOf(['10.0.0.0/8'], '10.0.0.1', nonsense), '10.0.0.1', nonsense);
      const before = `${nonsense}, 10.0.0.2`;
      assert.equal(addressOf(['10.0.0.0/8'], '10.0.0.1', before), '10.0.0.2', before);
    }
  });

  it('has no port, no brackets and no IPv6 form of IPv4', () => {
    const proxies = ['127.0.0.1', '::1'];
    assert.equal(addressOf(proxies, '::ffff:127.0.0.1', '192.0.2.1:4711'), '192.0.2.1');
    assert.equal(addressOf(proxies, '::1', '[2001:db8::1]:80'), '2001:db8::1');
    assert.equal(addressOf(proxies, '::1', '[2001:db8::1]'), '2001:db8::1');
    assert.equal(addressOf(proxies, '::1', '::ffff:192.0.2.1'), '192.0.2.1');
  });

  it('is that of IPv4 in every notation of its IPv6 form, so that clients of a proxy are not one', () => {
    for (const mapped of [
      '::ffff:192.0.2.1',
      '::FFFF:c000:201',
      '::ffff:c000:0201',
      '0:0:0:0:0:ffff:c000:201',
      '0::0:ffff:192.0.2.1',
      '[::ffff:c000:201]:80',
    ]) {
      const expected = { address: '192.0.2.1', network: '192.0.2.1' };
      assert.deepEqual(find(['127.0.0.1'], '127.0.0.1', mapped), expected, mapped);
      const connection = mapped.replace(/^\[(.*)\]:80$/, '$1');
      assert.deepEqual(find([], connection), expected, connection);
      assert.equal(addressOf(['192.0.2.1'], connection, '10.0.0.9'), '10.0.0.9', connection);
    }
    for (const other of ['::fffe:c000:201', '::1:ffff:c000:201', '::ffff:0:c000:201', '::']) {
      assert.equal(find([], other).address, other);
    }
  });

  it('is found at the ends of a network, and not one address beyond', () => {
    const proxies = ['10.0.0.4/30'];
    for (const [from, expected] of [
      ['10.0.0.3', '10.0.0.3'],
      ['10.0.0.4', '192.0.2.1'],
      ['10.0.0.7', '192.0.2.1'],
      ['10.0.0.8', '10.0.0.8'],
    ] as const) {
      assert.equal(addressOf(proxies, from, '192.0.2.1'), expected);
    }
  });

  it('is unix over a Unix socket, unless the programs there are trusted proxies', () => {
    assert.deepEqual(find([], undefined), { address: 'unix', network: undefined });
    assert.equal(addressOf(['10.0.0.1'], undefined, '192.0.2.1'), 'unix');
    assert.equal(addressOf(['unix'], undefined, '192.0.2.1'), '192.0.2.1');
    assert.equal(addressOf(['unix'], '10.0.0.1', '192.0.2.1'), '10.0.0.1');
  });

  it('is unknown if a trusted proxy names a client without one, and never what that client says', () => {
    const socket = { remoteAddress: '10.0.0.1', destroyed: false } as net.Socket;
    setAddress(socket, null);
    const request = { socket, headers: { 'x-forwarded-for': '192.0.2.1' } };
    const found = new ClientAddresses(['10.0.0.1']).of(request);
    assert.deepEqual(found, { address: 'unknown', network: 'unknown' });
  });

  it('is not unix if the client of a TCP connection has left, which is no trusted proxy then', () => {
    for (const left of [{ localAddress: '127.0.0.1' }, { destroyed: true }]) {
      const found = find(['unix', '0.0.0.0/0', '::/0'], undefined, '192.0.2.1', left);
      assert.deepEqual(found, { address: 'unknown', network: 'unknown' });
    }
  });
});

describe('a connection that its client has reset', () => {
  it('is not one of a Unix socket, and not of a trusted proxy: it counts with all such connections', async (t) => {
    // Accepted, but not read: the process learns of the reset only from the kernel.
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const accepting = once(server, 'connection') as Promise<[net.Socket]>;
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = await accepting;
    t.after(() => socket.destroy());
    client.resetAndDestroy();
    await once(client, 'close');
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    const request = { socket, headers } as unknown as IncomingMessage;
    const found = new ClientAddresses(['unix', '0.0.0.0/0']).of(request);
    assert.deepEqual(found, { address: 'unknown', network: 'unknown' });
  });
});

describe('the network that counts as one client', () => {
  it('is a single IPv4 address', () => {
    assert.equal(find([], '192.0.2.1').network, '192.0.2.1');
  });

  it('is the /64 of an IPv6 address, however it is written', () => {
    const networks = ['2001:db8:0:1::1', '2001:DB8::1:ffff:0:0:1', '2001:0db8:0000:0001:2:3:4:5'];
    for (const address of networks) {
      assert.equal(find([], address).network, '2001:db8:0:1::/64', address);
    }
    assert.notEqual(find([], '2001:db8:0:2::1').network, '2001:db8:0:1::/64');
    assert.equal(find([], '::1').network, '0:0:0:0::/64');
    assert.equal(find([], 'fe80::1%eth0').network, 'fe80:0:0:0::/64');
    assert.equal(find([], '64:ff9b::192.0.2.1').network, '64:ff9b:0:0::/64');
  });
});
