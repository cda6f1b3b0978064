import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { modeFault, readTokenFile } from '../../../src/tokens/read-token-file.ts';
import { testToken, tokenFolder, writeTokens } from '../../helpers/process/token-files.ts';

const folder = tokenFolder();
after(() => folder.remove());
const file = path.join(folder.path, 'tokens.json');
const tokens = [testToken()];
writeTokens(file, tokens);

async function faultOf(name: string): Promise<string> {
  const read = await readTokenFile(name);
  assert.ok('faults' in read);
  return read.faults.join('\n');
}

describe('reading a token file', () => {
  it('returns the tokens of a file that only its owner can access, also through a symbolic link', async () => {
    const link = path.join(folder.path, 'link.json');
    symlinkSync(file, link);
    for (const mode of [0o600, 0o400, 0o700]) {
      chmodSync(file, mode);
      for (const name of [file, link]) {
        const read = await readTokenFile(name);
        assert.ok('tokens' in read);
        assert.deepEqual(
          read.tokens,
          tokens.map(({ entry }) => entry),
        );
      }
    }
  });

  it('refuses a wider file, with the command that corrects it', async () => {
    for (const mode of [0o601, 0o604, 0o620, 0o644, 0o666, 0o610]) {
      chmodSync(file, mode);
      const shown = `mode 0${mode.toString(8)}`;
      assert.ok((await faultOf(file)).includes(shown), shown);
      assert.ok((await faultOf(file)).endsWith(`run chmod 600 ${file}`));
    }
    chmodSync(file, 0o600);
    assert.match(modeFault("/a b/'x", { mode: 0o644, uid: 5 }) ?? '', /chmod 600 '\/a b\/'\\''x'$/);
  });

  it('lets the group read a file of root, for a process of another user', () => {
    const isRefused = (mode: number, uid: number, user: number) =>
      modeFault('f', { mode, uid }, user) !== undefined;
    assert.equal(isRefused(0o640, 0, 1000), false);
    assert.equal(isRefused(0o440, 0, 1000), false);
    for (const mode of [0o660, 0o644, 0o641, 0o650]) {
      assert.equal(isRefused(mode, 0, 1000), true, mode.toString(8));
    }
    assert.equal(isRefused(0o640, 1000, 1000), true);
    assert.equal(isRefused(0o640, 0, 0), true);
  });

  it('says what is wrong with anything else', async () => {
    const none = await readTokenFile(path.join(folder.path, 'none'));
    assert.ok('faults' in none && none.isMissing);
    assert.match(none.faults.join(), /none: does not exist$/);
    mkdirSync(path.join(folder.path, 'folder'), { mode: 0o700 });
    assert.match(await faultOf(path.join(folder.path, 'folder')), /is not a file/);
    const pipe = path.join(folder.path, 'pipe');
    spawnSync('mkfifo', [pipe]);
    assert.match(await faultOf(pipe), /is not a file/);
    const large = path.join(folder.path, 'large');
    writeFileSync(large, '', { mode: 0o600 });
    truncateSync(large, 8 * 1024 * 1024 + 1);
    assert.match(await faultOf(large), /larger than 8MiB/);
    truncateSync(large, 8 * 1024 * 1024);
    assert.match(await faultOf(large), /not a JSON object/);
  });
});
