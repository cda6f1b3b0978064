import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMetaCommandLine } from '../../../../src/cli/meta/command-line.ts';
import { metaHelp } from '../../../../src/cli/meta/help.ts';

const parse = (...argv: string[]) => parseMetaCommandLine(argv, {});

describe('the command line of meta', () => {
  it('accepts the program, the library and the format of the log', () => {
    const line = parse('--bin', '/a', '--engine=/b.so', '--log-format', 'json', '--bin=/c');
    assert.deepEqual(line.faults, []);
    assert.equal(line.bin, '/c');
    assert.equal(line.settings?.engine, '/b.so');
    assert.equal(line.settings.logFormat, 'json');
    assert.equal(line.command, 'start');
    assert.equal(parse('--check-config').command, 'check-config');
    assert.equal(parse('--bin', '/a', '-h').command, 'help');
  });

  it('reads them from the environment, and ignores the other settings of the gateway', () => {
    const line = parseMetaCommandLine([], {
      GATEWAY_ENGINE: '/b.so',
      GATEWAY_HOST: '0.0.0.0',
      GATEWAY_PORT: 'tcp://10.0.0.1:80',
    });
    assert.deepEqual(line.faults, []);
    assert.equal(line.settings?.engine, '/b.so');
  });

  it('refuses flags of the gateway, other words, and --bin without a program', () => {
    const { faults, settings } = parse('--port', '80', '--log-format', 'loud', 'x', '--bin');
    assert.deepEqual(faults, [
      '--bin needs a value: --bin PATH',
      '--port is a flag of the gateway; meta takes --bin, --engine, --log-format',
      '"x" is not a flag; settings are given as --flag value (see --help)',
      '--log-format: "loud" is not known; give one of auto, json, pretty',
    ]);
    assert.equal(settings, undefined);
    assert.equal(parse('--bin', '--engine', '/b.so').settings?.engine, '/b.so');
    assert.equal(parse('--bin=').faults.length, 1);
  });

  it('has a help text of at most 92 columns that names every flag', () => {
    for (const line of metaHelp.split('\n')) assert.ok(line.length <= 92, line);
    for (const flag of ['--bin', '--engine', '--log-format', '--check-config', '--version']) {
      assert.match(metaHelp, new RegExp(`^  .*${flag}\\b`, 'm'));
    }
  });
});
