/** The size of one `mmc_data_info`, which differs between versions of the engine. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { EngineLoadError } from '../../../../src/native/abi/errors.ts';
import { infoBytesOf } from '../../../../src/native/start/info-layout.ts';
import type { LayoutReport } from '../../../fixtures/layout-client.ts';
import { createInjection, injectingLibrary, type Rule } from '../../../helpers/engine/injecting.ts';
import { testProgram } from '../../../helpers/process/programs.ts';

const size = 1999;
const program = testProgram('layout-client.ts');

/** Two trials of an engine with items of `bytes` bytes; `spoil` changes what it wrote. */
function trialsOf(bytes: number, spoil: (after: Buffer) => void = () => undefined) {
  const pattern = randomBytes(4096);
  const patterns = [pattern, Buffer.from(pattern.map((byte) => ~byte))];
  return patterns.map((before) => {
    const after = Buffer.from(before);
    after.fill(0, 0, 3 * bytes);
    for (const index of [0, 2]) {
      after.writeBigUInt64LE(BigInt(size), index * bytes);
      after.writeUInt8(1, index * bytes + 10);
      after.writeUInt8(1, index * bytes + 11);
      // Addresses of the replicas, if the layout has them.
      for (let at = 64; at < bytes; at += 8) {
        after.writeBigUInt64LE(0x2800_0000_0000n + BigInt(at), index * bytes + at);
      }
    }
    spoil(after);
    return { before, after };
  });
}

async function runOn(layout: string | undefined, rules: readonly Rule[] = [], deadlineMs = 10_000) {
  const injection = createInjection(rules);
  const env = { ...process.env, UV_THREADPOOL_SIZE: '20', ...injection.env };
  if (layout !== undefined) Object.assign(env, { MMC_INJECT_DATA_INFO_BYTES: layout });
  try {
    const { execArgv, file } = program;
    const args = [...execArgv, file, await injectingLibrary(), String(deadlineMs)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 });
    const line = stdout.split('\n').find((text) => text.startsWith('{')) ?? '';
    return { ...(JSON.parse(line) as LayoutReport), uninit: injection.counters('uninit').returned };
  } finally {
    injection.dispose();
  }
}

describe('the layout of mmc_data_info', () => {
  for (const bytes of [64, 128]) {
    it(`of ${bytes} bytes is recognised from the bytes of a batch query`, () => {
      assert.equal(infoBytesOf(trialsOf(bytes), size), bytes);
    });

    it(`of ${bytes} bytes is recognised if the size of the absent object is not written`, () => {
      const trials = trialsOf(bytes);
      for (const { before, after } of trials) before.copy(after, bytes, bytes, bytes + 8);
      assert.equal(infoBytesOf(trials, size), bytes);
    });

    for (const [what, spoil] of [
      ['one byte is written beyond three items', (after) => after.writeUInt8(7, 3 * bytes)],
      ['the last byte of the memory is written', (after) => after.writeUInt8(7, 4095)],
      ['the first size differs', (after) => after.writeBigUInt64LE(1998n, 0)],
      ['the last size differs', (after) => after.writeBigUInt64LE(2000n, 2 * bytes)],
      ['the first object is absent', (after) => after.writeUInt8(0, 11)],
      ['the absent object is there', (after) => after.writeUInt8(1, bytes + 11)],
      ['the absent object has a size', (after) => after.writeBigUInt64LE(1n, bytes)],
      ['the last object is absent', (after) => after.writeUInt8(0, 2 * bytes + 11)],
    ] as [string, (after: Buffer) => void][]) {
      it(`of ${bytes} bytes is refused if ${what}`, () => {
        // A byte of the pattern may have this value by chance, but not in both trials.
        assert.throws(() => infoBytesOf(trialsOf(bytes, spoil), size), EngineLoadError);
      });
    }

    it(`of ${bytes} bytes is refused if only one of the two trials fits`, () => {
      const [first] = trialsOf(bytes);
      const [, second] = trialsOf(bytes, (after) => after.writeUInt8(0, 11));
      assert.ok(first !== undefined && second !== undefined);
      assert.throws(() => infoBytesOf([first, second], size), EngineLoadError);
    });
  }

  for (const bytes of [72, 96, 120, 136, 192, 256]) {
    it(`of ${bytes} bytes is refused with the observed bytes and advice`, () => {
      assert.throws(
        () => infoBytesOf(trialsOf(bytes), size),
        (error: unknown) => {
          assert.ok(error instanceof EngineLoadError);
          assert.match(error.message, new RegExp(`first ${3 * bytes} bytes`));
          assert.match(error.message, new RegExp(`at byte 0, ${2 * bytes}\\.`));
          assert.match(error.advice, /64 bytes .* 128 bytes/);
          return true;
        },
      );
    });
  }

  it('is refused if nothing was written', () => {
    const trials = trialsOf(64).map(({ before }) => ({ before, after: Buffer.from(before) }));
    assert.throws(() => infoBytesOf(trials, size), /nowhere/);
  });
});

describe('a client of an engine', () => {
  for (const layout of [undefined, '64', '128']) {
    it(`whose items have ${layout ?? 'the default'} bytes reads every info correctly`, async () => {
      const { wrong, closed } = await runOn(layout);
      assert.deepEqual({ wrong, closed }, { wrong: [0, 0, 0], closed: true });
    });
  }

  for (const layout of ['96', '256']) {
    it(`whose items have ${layout} bytes does not start, and leaves the pool`, async () => {
      const { refused, uninit } = await runOn(layout);
      assert.match(refused?.message ?? '', /layout of mmc_data_info in this engine is unknown/);
      assert.equal(refused?.code, null, 'a further attempt would not help');
      assert.equal(uninit, 1);
    });
  }

  it('whose batch query fails does not start, and reports the code', async () => {
    const { refused, uninit } = await runOn('128', [{ on: 'batch_query', code: -3014 }]);
    assert.match(refused?.message ?? '', /self-test: batch_query: MMC_LINK_NOT_FOUND \(-3014\)/);
    assert.deepEqual([refused?.code, uninit], [-3014, 1]);
  });

  it('whose batch query writes nothing does not start', async () => {
    const { refused } = await runOn('64', [{ on: 'batch_query', noCopy: true }]);
    assert.match(refused?.message ?? '', /at byte nowhere/);
  });

  it('whose batch query hangs does not start', async () => {
    const { refused, uninit } = await runOn('64', [{ on: 'batch_query', hang: true }], 2000);
    assert.match(refused?.message ?? '', /batch_query: the engine has not returned/);
    assert.equal(uninit, 0, 'the engine must not be uninitialised beside a call');
  });
});
