import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../../src/config/config.ts';
import { parseCommandLine } from '../../../../src/config/flags.ts';
import { mebibyte, tebibyte } from '../../../../src/config/kinds.ts';

const interpret = (...argv: string[]) => interpretConfig(parseCommandLine(argv), {});

function configOf(...argv: string[]) {
  const interpreted = interpret(...argv);
  assert('config' in interpreted, JSON.stringify(interpreted));
  return interpreted.config;
}

function faultOf(...argv: string[]): string {
  const interpreted = interpret(...argv);
  assert('faults' in interpreted, `${argv.join(' ')} has no fault`);
  return interpreted.faults.join('\n');
}

describe('the limits of one client', () => {
  it('are off by default, except the share of the arena', () => {
    const { clientInFlight, clientBytesPerSecond, trustedProxy, proxyProtocol } = configOf();
    assert.deepEqual([clientInFlight, clientBytesPerSecond, proxyProtocol], [0, 0, false]);
    assert.deepEqual(trustedProxy, []);
    assert.equal(configOf().clientArenaBytes, 256 * mebibyte);
    assert.equal(configOf('--arena-bytes', '32MiB').clientArenaBytes, 8 * mebibyte);
  });

  it('are accepted up to their ends, and not beyond', () => {
    assert.equal(configOf('--client-in-flight', '1000000').clientInFlight, 1_000_000);
    assert.match(faultOf('--client-in-flight', '1000001'), /out of range/);
    assert.match(faultOf('--client-in-flight=-1'), /out of range/);
    assert.equal(configOf('--client-bytes-per-second', '1TiB').clientBytesPerSecond, tebibyte);
    assert.match(faultOf('--client-bytes-per-second', '1099511627777'), /out of range/);
    assert.equal(configOf('--client-arena-bytes', '64KiB').clientArenaBytes, 65_536);
    assert.match(faultOf('--client-arena-bytes', '65535'), /out of range/);
    for (const flag of [
      '--client-in-flight',
      '--client-bytes-per-second',
      '--client-arena-bytes',
    ]) {
      assert.match(faultOf(flag, 'many'), /is not a (whole number|size)/);
    }
  });

  it('give a client no more than the arena', () => {
    const arena = ['--arena-bytes', '1GiB'];
    assert.equal(
      configOf(...arena, '--client-arena-bytes', '1GiB').clientArenaBytes,
      1024 * mebibyte,
    );
    assert.match(faultOf(...arena, '--client-arena-bytes', '1025MiB'), /cannot hold 1025MiB/);
  });

  it('believe no header of the PROXY protocol without a trusted proxy', () => {
    assert.match(faultOf('--proxy-protocol'), /^--proxy-protocol: only trusted proxies/);
    const { trustedProxy } = configOf('--proxy-protocol', '--trusted-proxy', '10.0.0.0/8,unix');
    assert.deepEqual(trustedProxy, ['10.0.0.0/8', 'unix']);
    const faults = faultOf('--trusted-proxy', '10.0.0.0/33,proxy.example');
    assert.match(faults, /prefix length from 0 to 32/);
    assert.match(faults, /"proxy.example" is no address/);
  });
});
