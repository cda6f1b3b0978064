import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../scripts/soak-kills.mjs', import.meta.url));

describe('the soak test of kills', () => {
  it('starts nothing without a number', () => {
    for (const [words, fault] of [
      [['--kills', 'x'], '--kills: "x" is no whole number from 1'],
      [['--seconds=0'], '--seconds: "0" is no whole number from 1'],
      [['--devices', '0-1', '--callers'], '--callers: "" is no whole number from 1'],
    ] as const) {
      const ended = spawnSync(process.execPath, [script, ...words], { encoding: 'utf8' });
      assert.deepEqual([ended.status, ended.stdout], [2, '']);
      assert.equal(ended.stderr, `soak-kills: ${fault}\n`);
    }
  });
});
