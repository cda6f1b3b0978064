import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { readEvictAbove } from '../../../src/engine-config/meta-settings.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'meta-settings-'));
after(() => rmSync(folder, { recursive: true }));

function threshold(line: string): number | undefined {
  const file = path.join(folder, 'mmc-meta.conf');
  writeFileSync(file, `${line}\n`);
  return readEvictAbove(file);
}

describe('the use of the pool above which it evicts', () => {
  it('is a percentage of the file of the meta service', () => {
    assert.equal(threshold('ock.mmc.evict_threshold_high = 70'), 70);
    assert.equal(threshold('ock.mmc.evict_threshold_high = 1'), 1);
    assert.equal(threshold('ock.mmc.evict_threshold_high = 100'), 100);
  });

  it('is unknown without a file, without the line, and with another value', () => {
    assert.equal(readEvictAbove(undefined), undefined);
    assert.equal(readEvictAbove(''), undefined);
    assert.equal(readEvictAbove(path.join(folder, 'missing')), undefined);
    for (const value of ['0', '101', '-1', 'ninety', '']) {
      assert.equal(threshold(`ock.mmc.evict_threshold_high = ${value}`), undefined, value);
    }
    assert.equal(threshold('ock.mmc.log_level = info'), undefined);
  });
});
