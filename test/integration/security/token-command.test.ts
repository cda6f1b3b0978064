/** The command that manages tokens, with the real program. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { parseTokenFile } from '../../../src/tokens/token-file.ts';
import { TokenTable } from '../../../src/tokens/token-table.ts';
import { spawnProgram } from '../../helpers/process/gateway.ts';
import { tokenFolder, writeTokens } from '../../helpers/process/token-files.ts';

const folder = tokenFolder();
after(() => folder.remove());
const placeOf = (name: string): string => path.join(folder.path, name);

async function run(...args: string[]) {
  const child = spawnProgram({ args: ['token', ...args] });
  const { code } = await child.ended;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

function tokensIn(file: string) {
  const parsed = parseTokenFile(readFileSync(file));
  assert.ok('tokens' in parsed);
  return parsed.tokens;
}

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);

describe('token create', () => {
  const file = placeOf('created.json');

  it('prints the token once on stdout, and keeps its hash in a file of mode 0600', async () => {
    const words = ['--scopes', 'read,write', '--prefix', 'model-a/', '--prefix', 'b c/'];
    const start = Date.now();
    const { code, stdout, stderr } = await run(
      'create',
      ...words,
      '--expires',
      '90d',
      '--token-file',
      file,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^mcg_[0-9a-f]{12}_[\w-]{43}\n$/);
    const token = stdout.trim();
    assert.equal(modeOf(file), '600');
    assert.ok(!readFileSync(file, 'utf8').includes(token.slice(17)));
    assert.ok(!stderr.includes(token.slice(17)));
    const [entry] = tokensIn(file);
    assert.deepEqual(entry?.scopes, ['read', 'write']);
    assert.deepEqual(entry.prefixes, ['model-a/', 'b c/']);
    const end = Number(entry.expiresMs) - 90 * 86_400_000;
    assert.ok(end >= start && end <= Date.now());
    assert.equal(new TokenTable([entry]).verify(token), entry);
  });

  it('loses nothing when many run at the same time, and leaves only the lock file', async () => {
    const many = placeOf('many');
    const shared = path.join(folder.path, 'many.json');
    const runs = await Promise.all(
      Array.from({ length: 8 }, () => run('create', '--scopes', 'read', '--token-file', shared)),
    );
    const table = new TokenTable(tokensIn(shared));
    for (const { code, stdout, stderr } of runs) {
      assert.equal(code, 0, stderr);
      assert.ok(table.verify(stdout.trim()) !== undefined);
    }
    assert.equal(tokensIn(shared).length, 8);
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => placeOf(name).startsWith(many)),
      ['many.json', 'many.json.lock'],
    );
  });

  it('refuses a wider file and a broken one, and changes neither', async () => {
    const wide = placeOf('wide.json');
    writeTokens(wide, []);
    chmodSync(wide, 0o644);
    const refused = await run('create', '--scopes', 'read', '--token-file', wide);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`run chmod 600 ${wide}\n$`));
    const broken = placeOf('broken.json');
    writeFileSync(broken, '{', { mode: 0o600 });
    assert.match(
      (await run('create', '--scopes', 'read', '--token-file', broken)).stderr,
      /not a JSON/,
    );
    assert.equal(readFileSync(broken, 'utf8'), '{');
    assert.equal(tokensIn(wide).length, 0);
    const nowhere = await run('create', '--scopes', 'read', '--token-file', placeOf('no/file'));
    assert.match(nowhere.stderr, /no: does not exist; create the directory first/);
    assert.equal(nowhere.stdout, '');
  });

  it('keeps a symbolic link, the mode and the owner of the file', async (context) => {
    const real = placeOf('real.json');
    const link = placeOf('link.json');
    writeTokens(real, []);
    symlinkSync('real.json', link);
    chmodSync(real, 0o400);
    if (process.getuid?.() === 0) chownSync(real, 1234, 1235);
    else context.diagnostic('without root the owner is not changed');
    assert.equal((await run('create', '--scopes', 'read', '--token-file', link)).code, 0);
    assert.equal(tokensIn(real).length, 1);
    assert.equal(modeOf(real), '400');
    if (process.getuid?.() === 0) assert.equal(statSync(real).uid, 1234);
    assert.ok(
      readdirSync(folder.path, { withFileTypes: true })
        .find(({ name }) => name === 'link.json')
        ?.isSymbolicLink(),
    );
  });
});

describe('token list and revoke', () => {
  it('show the tokens without secrets, and remove one', async () => {
    const file = placeOf('listed.json');
    const first = await run('create', '--scopes', 'admin', '--token-file', file);
    await run(
      'create',
      '--scopes',
      'read',
      '--prefix',
      'a/',
      '--expires',
      '1d',
      '--token-file',
      file,
    );
    const { stdout, code } = await run('list', '--token-file', file);
    assert.equal(code, 0);
    const [one = '', two = ''] = stdout.split('\n');
    assert.match(one, /^[0-9a-f]{12} {2}valid {4}scopes admin {2}prefixes all {2}expires never$/);
    assert.match(two, /scopes read {2}prefixes "a\/" {2}expires \d{4}-/);
    for (const { sha256 } of tokensIn(file)) assert.ok(!stdout.includes(sha256));
    assert.ok(!stdout.includes(first.stdout.slice(17, 30)));
    const id = one.slice(0, 12);
    assert.equal((await run('revoke', id, '--token-file', file)).code, 0);
    assert.deepEqual(
      tokensIn(file).map((entry) => entry.id),
      [two.slice(0, 12)],
    );
    const again = await run('revoke', id, '--token-file', file);
    assert.equal(again.code, 1);
    assert.match(again.stderr, new RegExp(`has no token with the id "${id}"`));
  });

  it('revoke takes a whole token too, and never prints its secret', async () => {
    const file = placeOf('whole.json');
    const { stdout } = await run('create', '--scopes', 'read', '--token-file', file);
    const token = stdout.trim();
    const secret = token.slice(token.lastIndexOf('_', 17) + 1);
    for (const code of [0, 1]) {
      const revoked = await run('revoke', token, '--token-file', file);
      assert.equal(revoked.code, code);
      assert.ok(!(revoked.stdout + revoked.stderr).includes(secret));
    }
    assert.deepEqual(tokensIn(file), []);
  });

  it('report a file that does not exist', async () => {
    for (const words of [['list'], ['revoke', 'a1b2']]) {
      const { code, stderr } = await run(...words, '--token-file', placeOf('none.json'));
      assert.equal(code, 1);
      assert.match(stderr, /none\.json: does not exist\n$/);
    }
  });

  it('have a help, and refuse a wrong command line with 2', async () => {
    const help = await run('--help');
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: memcache-gateway token create /);
    const wrong = await run('create');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--scopes is missing/);
    assert.match(wrong.stderr, /--token-file FILE is missing/);
  });
});
