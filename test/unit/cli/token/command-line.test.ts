import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTokenCommandLine } from '../../../../src/cli/token/command-line.ts';
import { readDuration } from '../../../../src/cli/token/duration.ts';
import { tokenHelp } from '../../../../src/cli/token/help.ts';

const parse = (words: string, env: NodeJS.ProcessEnv = {}) =>
  parseTokenCommandLine(words.split(' ').filter(Boolean), env);

function faultsOf(words: string): readonly string[] {
  const line = parse(words);
  assert.ok(line.action === 'refuse', JSON.stringify(line));
  return line.faults;
}

describe('the command line of token', () => {
  it('reads what a new token permits, in both forms of flags', () => {
    assert.deepEqual(
      parse('create --scopes write,read --prefix a/ --prefix=b/ --expires 90d --token-file f'),
      {
        action: 'create',
        file: 'f',
        token: { scopes: ['read', 'write'], prefixes: ['a/', 'b/'], validMs: 90 * 86_400_000 },
      },
    );
    assert.deepEqual(parse('create --scopes=admin --token-file=f'), {
      action: 'create',
      file: 'f',
      token: { scopes: ['admin'], prefixes: [], validMs: undefined },
    });
  });

  it('reads list and revoke, and takes the file from the environment', () => {
    const env = { GATEWAY_TOKEN_FILE: 'e' };
    assert.deepEqual(parse('list', env), { action: 'list', file: 'e' });
    assert.deepEqual(parse('revoke 0a1b', env), { action: 'revoke', file: 'e', id: '0a1b' });
    assert.deepEqual(parse('list --token-file f', env), { action: 'list', file: 'f' });
    assert.equal(parse('list', { GATEWAY_TOKEN_FILE: '' }).action, 'refuse');
  });

  it('prefers help and version to everything else', () => {
    assert.deepEqual(parse('create --scpoes --help'), { action: 'help' });
    assert.deepEqual(parse('-v'), { action: 'version' });
  });

  it('names every fault with its correction', () => {
    const faulty: [string, RegExp[]][] = [
      [
        '',
        [
          /needs one of create, list, revoke/,
          /--token-file FILE is missing \(GATEWAY_TOKEN_FILE\)/,
        ],
      ],
      ['make --token-file f', [/"make" is no command/]],
      ['create --token-file f', [/--scopes is missing; give some of read, write, admin/]],
      ['create --token-file f --scopes read,all', [/"all" is no scope/]],
      ['create --token-file f --scopes read,', [/"" is no scope/]],
      ['create --token-file f --scopes', [/--scopes needs a value/]],
      ['create --token-file f --scopes read --prefix=', [/--prefix needs a value/]],
      [`create --token-file f --scopes read --prefix ${'a'.repeat(256)}`, [/more than 255 bytes/]],
      ['create --token-file f --scopes read --expires 5y', [/"5y" is no duration/]],
      [
        'create --token-file f --scopes read --expires 1d --expires 2d',
        [/--expires is given twice/],
      ],
      ['create --token-file f --scopse read --scopes read', [/--scopse; did you mean --scopes\?/]],
      ['list --token-file f --scopes read', [/--scopes is a flag of token create/]],
      ['list x --token-file f', [/"x" is not a flag/]],
      ['revoke --token-file f', [/revoke needs the id/]],
      ['revoke a b --token-file f', [/"b" is not a flag/]],
    ];
    for (const [words, patterns] of faulty) {
      const faults = faultsOf(words);
      assert.equal(faults.length, patterns.length, `${words}: ${faults.join('; ')}`);
      for (const [at, pattern] of patterns.entries())
        assert.match(faults[at] ?? '', pattern, words);
    }
    const prefixes = Array.from({ length: 17 }, (_, n) => `--prefix p${n}`);
    assert.match(
      faultsOf(`create --token-file f --scopes read ${prefixes.join(' ')}`).join(),
      /at most 16 prefixes/,
    );
    const most = prefixes.slice(1).join(' ');
    assert.equal(parse(`create --token-file f --scopes read ${most}`).action, 'create');
  });
});

describe('a duration', () => {
  it('has a unit, is positive and at most ten years', () => {
    assert.deepEqual(readDuration('1m'), { ms: 60_000 });
    assert.deepEqual(readDuration('12h'), { ms: 43_200_000 });
    assert.deepEqual(readDuration('3650d'), { ms: 3650 * 86_400_000 });
    for (const text of [
      '',
      '1',
      'd',
      '0d',
      '3651d',
      '-1d',
      '1.5d',
      '1 d',
      '1D',
      '1s',
      '9999999999d',
    ]) {
      assert.ok('fault' in readDuration(text), text);
    }
  });
});

describe('the help of token', () => {
  it('is at most 92 columns wide', () => {
    for (const line of tokenHelp.split('\n')) assert.ok(line.length <= 92, line);
  });
});
