import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { parseSettings, readConfig, readSettings } from '../../../src/config/settings-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'settings-'));
after(() => rmSync(folder, { recursive: true }));

const parse = (text: string | Uint8Array) => parseSettings('s.conf', Buffer.from(text));
const given = (text: string) =>
  [...parse(text).given].map(([name, { source, texts }]) => [name, texts.join(), source]);

function interpret(text: string, argv: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  return interpretConfig(parseCommandLine(argv), env, parse(text));
}

function faultsOf(...parameters: Parameters<typeof interpret>): readonly string[] {
  const interpreted = interpret(...parameters);
  return 'faults' in interpreted ? interpreted.faults : [];
}

function fileWith(name: string, bytes: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

describe('a settings file', () => {
  it('has lines of names and values, with comments and blank lines between them', () => {
    const text =
      '\uFEFF# a comment\r\n\r\n  GATEWAY_PORT = 1234 \r\n\t#=\nGATEWAY_LAYOUT=a=1x2;b=3';
    assert.deepEqual(parse(text).faults, []);
    assert.deepEqual(given(text), [
      ['port', '1234', 's.conf:3'],
      ['layout', 'a=1x2;b=3', 's.conf:5'],
    ]);
    assert.deepEqual(parse(''), { given: new Map(), faults: [] });
  });

  it('has no comments after a value, which may contain a "#"', () => {
    assert.deepEqual(given('GATEWAY_HOST=a#b'), [['host', 'a#b', 's.conf:1']]);
  });

  it('gives addresses only if no flag or variable does, in either form', () => {
    const file = 'GATEWAY_HOST=localhost\nGATEWAY_PORT=1\n';
    const flag = interpret(file, ['--listen', '127.0.0.1:2']);
    assert('config' in flag, JSON.stringify(flag));
    assert.deepEqual(flag.config.listen, [{ host: '127.0.0.1', port: 2 }]);
    assert.deepEqual([...flag.origins], [['listen', '--listen']]);
    const variable = interpret('GATEWAY_LISTEN=localhost:1', [], { GATEWAY_PORT: '2' });
    assert('config' in variable, JSON.stringify(variable));
    assert.deepEqual([variable.config.port, variable.config.listen], [2, []]);
    const same = interpret(file, ['--port', '2']);
    assert('config' in same);
    assert.deepEqual([same.config.host, same.config.port], ['localhost', 2]);
    const [fault] = faultsOf(`${file}GATEWAY_LISTEN=localhost:1`);
    assert.match(
      fault ?? '',
      /^s\.conf:3: GATEWAY_LISTEN: given together with s\.conf:1: GATEWAY_H/,
    );
  });

  it('treats an empty value as absent', () => {
    assert.deepEqual(parse('GATEWAY_PORT=\n'), { given: new Map(), faults: [] });
  });

  it('reports every faulty line at once, with the nearest spelling of an unknown name', () => {
    const text = `nonsense
GATEWAY_PROT=1
LAYOUT=a=1
=1
GATEWAY_HOST="localhost"
GATEWAY_ENGINE=a\0b
GATEWAY_SETTINGS_FILE=other.conf
GATEWAY_LOG_LEVEL=info
GATEWAY_LOG_LEVEL=warn
MMC_LOCAL_CONFIG_PATH=/etc/mmc.conf`;
    assert.deepEqual(parse(text).faults, [
      's.conf:1: is neither VARIABLE=value nor a comment, which begins with #',
      's.conf:2: "GATEWAY_PROT" is no setting; did you mean GATEWAY_PORT?',
      's.conf:3: "LAYOUT" is no setting; did you mean GATEWAY_LAYOUT?',
      's.conf:4: "" is no setting; --help lists them',
      's.conf:5: GATEWAY_HOST: write the value without quotes',
      's.conf:6: GATEWAY_ENGINE: has a control character',
      's.conf:7: GATEWAY_SETTINGS_FILE: a settings file cannot name another one',
      's.conf:9: GATEWAY_LOG_LEVEL: is already given at s.conf:8; write it once',
      's.conf:10: "MMC_LOCAL_CONFIG_PATH" is no setting; --help lists them',
    ]);
  });

  it('that is another kind of file causes few and short faults', () => {
    const { faults } = parse('\u001b[31mx\n'.repeat(100_000));
    assert.equal(faults.length, 21);
    assert.equal(faults[20], 's.conf:21: is also faulty, and the lines after it were not checked');
    const [long] = parse(`${'\u001b'.repeat(1_000_000)}=1`).faults;
    assert.equal(long, `s.conf:1: "${'\uFFFD'.repeat(64)}" is no setting; --help lists them`);
  });

  it('is UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('# ä\nGATEWAY_HOST='), Buffer.from([0xe4, 0x0a])]);
    assert.deepEqual(parse(bytes).faults, ['s.conf:2: is not UTF-8']);
  });

  it('has at most 1 MiB', async () => {
    const full = Buffer.alloc(2 ** 20, '\n');
    assert.deepEqual((await readSettings(fileWith('full.conf', full))).faults, []);
    const large = fileWith('large.conf', Buffer.concat([full, full.subarray(0, 1)]));
    assert.match(String((await readSettings(large)).faults), /large\.conf: is larger than 1MiB/);
  });

  it('must exist and be a file', async () => {
    const absent = path.join(folder, 'absent.conf');
    assert.match(String((await readSettings(absent)).faults), /absent\.conf: does not exist/);
    assert.match(String((await readSettings(folder)).faults), /: is not a file/);
    assert.match(String((await readSettings('/dev/zero')).faults), /: is not a file/);
  });
});

describe('a value from a settings file', () => {
  it('is overridden by flags and the environment, and overrides the defaults', () => {
    const text = 'GATEWAY_PORT=1\nGATEWAY_DEVICES=1\nGATEWAY_ARENA_BYTES=64MiB';
    const interpreted = interpret(text, ['--port', '3'], {
      GATEWAY_PORT: '2',
      GATEWAY_DEVICES: '2',
      GATEWAY_ARENA_BYTES: '',
    });
    assert('config' in interpreted, JSON.stringify(interpreted));
    const { config, origins } = interpreted;
    assert.deepEqual([config.port, config.devices, config.arenaBytes], [3, [2], 2 ** 26]);
    assert.equal(config.maxObjectBytes, 2 ** 26);
    assert.deepEqual([...origins].sort(), [
      ['arenaBytes', 's.conf:3'],
      ['devices', 'GATEWAY_DEVICES'],
      ['port', '--port'],
    ]);
  });

  it('is reported with its line and name, together with all other faults', () => {
    const text = '\nGATEWAY_PORT=99999\nGATEWAY_HOST=0.0.0.0\nnonsense';
    const faults = faultsOf(text, ['--devise', '1'], { GATEWAY_FAST_LANE: 'perhaps' });
    assert.equal(faults.length, 5, JSON.stringify(faults));
    const all = faults.join('\n');
    assert.match(all, /^unknown flag --devise/m);
    assert.match(all, /^s\.conf:4: is neither VARIABLE=value/m);
    assert.match(all, /^GATEWAY_FAST_LANE: "perhaps"/m);
    assert.match(all, /^s\.conf:2: GATEWAY_PORT: 99999 is out of range/m);
    assert.match(all, /^s\.conf:3: GATEWAY_HOST: 0\.0\.0\.0 can be reached/m);
  });

  it('comes from the file of the flag, otherwise of the variable', async () => {
    const one = fileWith('one.conf', 'GATEWAY_PORT=1');
    const two = fileWith('two.conf', 'GATEWAY_PORT=2');
    const env = { GATEWAY_SETTINGS_FILE: two };
    const portOf = async (argv: readonly string[], variables: NodeJS.ProcessEnv) => {
      const interpreted = await readConfig(parseCommandLine(argv), variables);
      assert('config' in interpreted, JSON.stringify(interpreted));
      return interpreted.config.port;
    };
    assert.equal(await portOf(['--settings-file', one], env), 1);
    assert.equal(await portOf([], env), 2);
    assert.equal(await portOf([], { GATEWAY_SETTINGS_FILE: '' }), 8080);
  });
});
