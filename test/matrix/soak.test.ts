import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

/** Runs `npm run soak` for some seconds with these flags. */
const soak = (...flags: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'scripts/soak.mjs', ...flags], {
    encoding: 'utf8',
    timeout: 200_000,
  });

describe('a gateway under load, whose workers are killed and whose secrets are rotated', () => {
  it('returns no wrong byte and no unexpected status, and gives everything back', () => {
    const { status, stdout, stderr } = soak('--seconds', '40');
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.match(stdout, /"kills":[1-9]\d*,"tokens":[1-9]\d*,"certificates":[1-9]/);
  });

  it('fails the run with a status that is not expected', () => {
    const { status, stdout } = soak('--seconds', '1', '--max-object-bytes', '1KiB');
    assert.equal(status, 1, stdout);
    assert.match(stdout, /status 413/);
  });

  it('is not started with an invalid number', () => {
    for (const seconds of ['0', '-1', '1.5', 'long', '10000000', '']) {
      const { status, stderr } = soak('--seconds', seconds);
      assert.equal(status, 2, seconds);
      assert.match(stderr, /no whole number from 1 to 9999999/);
    }
  });
});
