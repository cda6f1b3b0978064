import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseProxyHeader } from '../../../../src/http/clients/proxy-header.ts';

const signature = '0d0a0d0a000d0a515549540a';
const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
/** The first byte is version and command, the second family and protocol. */
const header = (rest: string): Buffer => bytesOf(signature + rest);

const ipv4 = header('21 11 000c 0a000001 7f000001 3039 0050');
const ipv6 = header(`21 21 0024 20010db8${'00'.repeat(11)}01 ${'00'.repeat(15)}01 3039 0050`);

describe('the header of the PROXY protocol', () => {
  it('has the address of the client', () => {
    assert.deepEqual(parseProxyHeader(ipv4), { bytes: 28, source: '10.0.0.1' });
    assert.deepEqual(parseProxyHeader(ipv6), { bytes: 52, source: '2001:db8:0:0:0:0:0:1' });
  });

  it('ends where it says, whatever follows', () => {
    assert.deepEqual(parseProxyHeader(Buffer.concat([ipv4, Buffer.from('GET /')])), {
      ...{ bytes: 28, source: '10.0.0.1' },
    });
    const extended = header('21 11 000f 0a000001 7f000001 3039 0050 040000');
    assert.deepEqual(parseProxyHeader(extended), { bytes: 31, source: '10.0.0.1' });
  });

  it('has no address if the proxy speaks for itself, or the client has none', () => {
    assert.deepEqual(parseProxyHeader(header('20 00 0000')), { bytes: 16, source: undefined });
    assert.deepEqual(parseProxyHeader(header('20 11 0000')), { bytes: 16, source: undefined });
    assert.deepEqual(parseProxyHeader(header('21 00 0000')), { bytes: 16, source: null });
    const unix = header(`21 31 00d8 ${'00'.repeat(216)}`);
    assert.deepEqual(parseProxyHeader(unix), { bytes: 232, source: null });
  });

  it('is incomplete at every byte before its end', () => {
    for (const whole of [ipv4, ipv6]) {
      for (let end = 0; end < whole.length; end++) {
        assert.equal(parseProxyHeader(whole.subarray(0, end)), 'incomplete', `${end} bytes`);
      }
    }
  });

  it('is malformed with another signature, version, command or length', () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1'),
      Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2'),
      Buffer.from('\r\n\r\n\0\r\nQUIT\r'),
      header('11 11 000c 0a000001 7f000001 3039 0050'),
      header('31 11 000c 0a000001 7f000001 3039 0050'),
      header('22 11 000c 0a000001 7f000001 3039 0050'),
      header('21 11 000b 0a000001 7f000001 3039 00'),
      header('21 21 0023'),
    ]) {
      assert.equal(parseProxyHeader(bytes), 'malformed', bytes.toString('latin1'));
    }
  });

  it('has at most 4 KiB', () => {
    const longest = header(`20 00 0ff0 ${'00'.repeat(0xff0)}`);
    assert.deepEqual(parseProxyHeader(longest), { bytes: 4096, source: undefined });
    assert.equal(parseProxyHeader(header('20 00 0ff1')), 'malformed');
  });
});
