import assert from 'node:assert/strict';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { withDirectoryLock } from '../../../src/os/directory-lock.ts';
import { tokenFolder } from '../../helpers/process/token-files.ts';

const folder = tokenFolder();
after(() => folder.remove());

describe('a lock of a directory', () => {
  it('lets one action run at a time', async () => {
    let running = 0;
    let most = 0;
    const action = () =>
      withDirectoryLock(folder.path, async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
      });
    await Promise.all(Array.from({ length: 8 }, action));
    assert.equal(most, 1);
  });

  it('is free after an action that fails', async () => {
    const failing = withDirectoryLock(folder.path, () => Promise.reject(new Error('no')));
    await assert.rejects(failing, /^Error: no$/);
    assert.equal(await withDirectoryLock(folder.path, () => Promise.resolve(5), 0), 5);
  });

  it('is given up when another program keeps it, and where there is no directory', async () => {
    await withDirectoryLock(folder.path, async () => {
      await assert.rejects(
        withDirectoryLock(folder.path, () => Promise.resolve(), 20),
        /another program has locked it for 0\.02 s/,
      );
    });
    await assert.rejects(
      withDirectoryLock(path.join(folder.path, 'none'), () => Promise.resolve()),
      { code: 'ENOENT' },
    );
  });
});
