import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { changeTokenFile, ownerFault } from '../../../../src/cli/token/change-token-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'change-tokens-'));
after(() => rmSync(folder, { recursive: true }));

describe('a token file of another user', () => {
  it('is the reason, and not its directory', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async () => {
    const file = path.join(folder, 'tokens.json');
    await changeTokenFile(file, true, () => []);
    // Another user may create files here.
    chmodSync(folder, 0o777);
    process.seteuid?.(65_534);
    try {
      await assert.rejects(
        changeTokenFile(file, true, () => []),
        /tokens\.json(\.lock)?: belongs to the user 0, .* run it as the owner/,
      );
    } finally {
      process.seteuid?.(0);
    }
  });

  it('is distinguished from one of this user', () => {
    assert.equal(ownerFault('f', 1000, 1000), undefined);
    assert.match(ownerFault('f', 0, 1000) ?? '', /^f: belongs to the user 0, and .* user 1000;/);
  });
});
