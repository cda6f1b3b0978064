import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { proxyFault, proxyList } from '../../../../src/config/clients/proxies.ts';

describe('an entry of --trusted-proxy', () => {
  it('is an address, a network or unix', () => {
    const entries = ['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '10.0.0.1/32', '::1', '::/0'];
    for (const entry of [...entries, '2001:db8::/128', 'unix']) {
      assert.equal(proxyFault(entry), undefined, entry);
    }
  });

  it('has no longer prefix than its address', () => {
    assert.match(String(proxyFault('10.0.0.0/33')), /prefix length from 0 to 32/);
    assert.match(String(proxyFault('::/129')), /prefix length from 0 to 128/);
    for (const bits of ['', '-1', '8.0', 'eight', '1e1', '+8', '0008']) {
      assert.match(String(proxyFault(`10.0.0.0/${bits}`)), /prefix length/, bits);
    }
  });

  it('is no name, URL or nonsense', () => {
    const entries = ['proxy', 'http://10.0.0.1', '10.0.0', '10.0.0.1:80', '[::1]', 'fe80::1%eth0'];
    for (const entry of [...entries, '10.0.0.0/8/8', '/', '*', 'UNIX']) {
      assert.match(String(proxyFault(entry)), /is no address/, entry);
    }
  });

  it('becomes a list that matches the network', () => {
    const list = proxyList(['unix', '10.0.0.0/8', '::1']);
    assert.equal(list.check('10.255.255.255', 'ipv4'), true);
    assert.equal(list.check('11.0.0.0', 'ipv4'), false);
    assert.equal(list.check('::1', 'ipv6'), true);
    assert.equal(list.check('::2', 'ipv6'), false);
  });
});
