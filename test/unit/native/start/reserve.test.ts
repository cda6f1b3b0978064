import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildEngine } from '../../../../scripts/build-engine.mjs';
import { testProgram } from '../../../helpers/process/programs.ts';

const run = promisify(execFile);
const path = (relative: string) =>
  fileURLToPath(new URL(`../../../../${relative}`, import.meta.url));
const shim = path('build/native/libmcg_reserve.so');
const { execArgv, file } = testProgram('reserve-process.ts');
const tebibyte = 2n ** 40n;

interface Report {
  variable: string | null;
  child: boolean;
  before: { state: number; mapped: string | null };
  released: number[];
  after: { state: number; mapped: string | null };
}

async function nodeWithShim(size: string | undefined): Promise<Report> {
  const env = { ...process.env, LD_PRELOAD: shim };
  const { stdout, stderr } = await run(process.execPath, [...execArgv, file, shim], {
    env: { ...env, LD_PRELOAD: shim, ...(size !== undefined && { MCG_RESERVE_BYTES: size }) },
  });
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Report;
}

describe('the preloaded library', () => {
  before(() => buildEngine());

  for (const bytes of [4096n, 96n * 2n ** 30n, 16n * tebibyte, 45n * tebibyte]) {
    it(`reserves ${bytes} bytes only as address space until their release; releasing twice has no effect`, async () => {
      const report = await nodeWithShim(bytes.toString());
      assert.deepEqual(report.before, { state: 1, mapped: `${bytes} ---p` });
      assert.deepEqual(report.released, [0, 0]);
      assert.equal(report.after.state, 2);
      assert.deepEqual(report.after.mapped, null);
    });
  }

  it('rounds a size up to whole pages', async () => {
    const report = await nodeWithShim('4097');
    assert.deepEqual(report.before.mapped, '8192 ---p');
    assert.deepEqual(report.after.mapped, null);
  });

  it('removes its variable from the environment, so that a child process reserves nothing', async () => {
    const report = await nodeWithShim(tebibyte.toString());
    assert.equal(report.before.state, 1);
    assert.equal(report.variable, null);
    assert.equal(report.child, false);
  });

  it('does nothing without a size', async () => {
    const report = await nodeWithShim(undefined);
    assert.equal(report.before.state, 0);
    assert.deepEqual(report.released, [0, 0]);
    assert.equal(report.after.state, 0);
  });

  const nonsense = ['', '0', '-1', '12GB', '18446744073709551615', '9'.repeat(30)];
  for (const size of nonsense) {
    it(`reports the size ${JSON.stringify(size)} as invalid and lets the process run`, async () => {
      const report = await nodeWithShim(size);
      assert.equal(report.before.state, -22);
      assert.deepEqual(report.released, [0, 0]);
    });
  }

  it('reports a range that does not fit and lets the process run', async () => {
    const report = await nodeWithShim((200n * tebibyte).toString());
    assert.equal(report.before.state, -12);
    assert.deepEqual(report.before.mapped, null);
  });

  it('has no effect in any other program', async () => {
    const env = { LD_PRELOAD: shim, MCG_RESERVE_BYTES: tebibyte.toString() };
    assert.deepEqual(await run('/bin/echo', ['hello'], { env }), { stdout: 'hello\n', stderr: '' });
  });
});
