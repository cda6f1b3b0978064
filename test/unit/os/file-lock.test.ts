import assert from 'node:assert/strict';
import { chmodSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { withFileLock } from '../../../src/os/file-lock.ts';
import { tokenFolder } from '../../helpers/process/token-files.ts';

const folder = tokenFolder();
after(() => folder.remove());

const lock = path.join(folder.path, 'lock');

describe('a lock of a file', () => {
  it('lets one action run at a time', async () => {
    let running = 0;
    let most = 0;
    const action = () =>
      withFileLock(lock, async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
      });
    await Promise.all(Array.from({ length: 8 }, action));
    assert.equal(most, 1);
  });

  it('is free after an action that fails', async () => {
    const failing = withFileLock(lock, () => Promise.reject(new Error('no')));
    await assert.rejects(failing, /^Error: no$/);
    assert.equal(await withFileLock(lock, () => Promise.resolve(5), 0), 5);
  });

  it('is given up when another program keeps it, and where there is no directory', async () => {
    await withFileLock(lock, async () => {
      await assert.rejects(
        withFileLock(lock, () => Promise.resolve(), 20),
        /another program has locked it for 0\.02 s/,
      );
    });
    await assert.rejects(
      withFileLock(path.join(folder.path, 'none', 'lock'), () => Promise.resolve()),
      { code: 'ENOENT' },
    );
  });

  it('is in a file that only its owner may open, and in no other', async () => {
    await withFileLock(lock, () => Promise.resolve());
    assert.equal(statSync(lock).mode & 0o777, 0o600);
    const wide = path.join(folder.path, 'wide');
    writeFileSync(wide, '');
    chmodSync(wide, 0o644);
    await assert.rejects(
      withFileLock(wide, () => Promise.resolve()),
      /other users may open it/,
    );
    const link = path.join(folder.path, 'link');
    symlinkSync(lock, link);
    await assert.rejects(
      withFileLock(link, () => Promise.resolve()),
      { code: 'ELOOP' },
    );
  });
});
