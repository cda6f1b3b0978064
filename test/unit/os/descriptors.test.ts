import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import {
  descriptorLimit,
  MIN_DESCRIPTORS,
  neededDescriptors,
  servableConnections,
} from '../../../src/os/descriptors.ts';

describe('the limit of descriptors', () => {
  it('is that of the process', () => {
    assert.ok((descriptorLimit() ?? 0) > MIN_DESCRIPTORS);
  });

  it('is undefined if the kernel does not report it in the known form', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'limits-'));
    const file = path.join(folder, 'limits');
    const limitOf = (line: string) => {
      writeFileSync(file, `Limit  Soft Limit  Hard Limit  Units\n${line}\n`);
      return descriptorLimit(file);
    };
    try {
      assert.equal(limitOf('Max open files            1024                 4096     files'), 1024);
      assert.equal(limitOf('Max open files  unlimited  unlimited  files'), Infinity);
      for (const nonsense of ['Max open files  many  4096  files', 'Max processes  7  8  x', '']) {
        assert.equal(limitOf(nonsense), undefined, nonsense);
      }
      assert.equal(descriptorLimit(path.join(folder, 'none')), undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('must grow with workers and listeners', () => {
    assert.equal(neededDescriptors({ workers: 1, listeners: 1 }), MIN_DESCRIPTORS);
    const many = neededDescriptors({ workers: 64, listeners: 1 });
    assert.ok(many > MIN_DESCRIPTORS);
    assert.equal(neededDescriptors({ workers: 65, listeners: 1 }), many + 4);
    assert.equal(neededDescriptors({ workers: 64, listeners: 2 }), many + 2);
    assert.ok(servableConnections(MIN_DESCRIPTORS, { workers: 1, listeners: 1 }) >= 8);
  });
});
