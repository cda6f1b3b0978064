/**
 * The tests of the embedded engine are C programs: they read shared memory, stop and kill processes
 * at chosen moments, and check every byte. Here they run for a short time without sanitizers;
 * `npm run test:engine:sanitize` runs them longer with sanitizers.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildEngine } from '../../scripts/build-engine.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = path.join(root, 'build', 'native', 'engine-test');

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Slack for asserted recovery times of 100 ms, because other test files run at the same time. */
const slackMs = process.env['ENGINE_TEST_SLACK_MS'] ?? '400';

function run(args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ENGINE_TEST_SLACK_MS: slackMs };
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

async function passes(...args: string[]): Promise<Outcome> {
  const outcome = await run(args);
  assert.equal(outcome.code, 0, `${String(outcome.signal)}\n${outcome.stdout}${outcome.stderr}`);
  return outcome;
}

/** The pools that were created again, one log line each; fails on any other warning. */
function madeAnew(stderr: string): string[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('memcache-embedded'));
  return lines.map(
    (line) =>
      /^memcache-embedded warning: pool (\S+) has no valid header, .* is empty$/.exec(line)?.[1] ??
      assert.fail(line),
  );
}

describe('the embedded engine', () => {
  before(() => buildEngine({ tests: true }));

  it('finds the lowest free run that is long enough', async () => {
    await passes('bitmap');
  });

  it('returns the codes of the distributed engine in one process, and writes nothing to stdout', async () => {
    const { stdout } = await passes('conformance');
    assert.equal(stdout, 'conformance: ok\n');
  });

  it('shares objects, replicas, half-written keys and pins between processes', async () => {
    await passes('processes');
  });

  it('copies on when a client truncates the memory that it copies, and leaves all other faults alone', async () => {
    await passes('truncated', '100');
  });

  it('removes the objects of a killed process, and nothing else', async () => {
    await passes('deaths');
  });

  it('waits once for a stopped owner of a lock, and inherits the lock of a killed one', async () => {
    await passes('locks');
  });

  it('waits for each lock up to the limit of its thread, also after a wait for another lock has failed', async () => {
    await passes('waits');
  });

  it('leaves a pool with a destroyed header, and creates it again with one log line', async () => {
    const { stderr } = await passes('destroyed');
    const pools = madeAnew(stderr);
    // A client that is ended by SIGBUS cannot mark a file that was truncated to zero bytes.
    assert.ok([13, 14].includes(pools.length), stderr);
    assert.equal(new Set(pools).size, pools.length, stderr);
  });

  it('survives any bytes in a pool, and creates a pool that it finds overwritten again with one log line', async () => {
    const { stdout, stderr } = await passes('overwritten', '1');
    const pools = madeAnew(stderr);
    assert.equal(new Set(pools).size, pools.length, stderr);
    const noticed = Number(/ok, (\d+) of/.exec(stdout)?.[1]);
    assert.ok(noticed > 0 && pools.length >= noticed, `${stdout}${stderr}`);
  });

  it('prepares memory and entries before puts use them', async () => {
    await passes('touch');
  });

  it('evicts by size for a put that does not fit, never what is read, and not with MMC_EMBEDDED_EVICT=threshold', async () => {
    await passes('eviction');
  });

  it('reports a pool of another user and a full pool, and fails puts when /dev/shm has no space', async (t) => {
    const { stdout, stderr } = await passes('room', '250000');
    const skipped = /^room: (the case of a small \/dev\/shm is skipped, because .*)$/m.exec(
      stdout,
    )?.[1];
    await t.test('warns about a small /dev/shm', { skip: skipped ?? false }, () => {
      assert.match(stderr, /\/dev\/shm has 48 MiB, the pool needs 200 MiB/);
    });
  });

  it('lists the keys of the pool in pages, and counts its bytes, objects and evictions', async () => {
    await passes('listing');
  });

  it('survives a death after any number of instructions', async () => {
    await passes('instructions', '797');
  });

  it('serves threads that contend for keys', async () => {
    await passes('stress_threads', '300');
  });

  it('loses and corrupts no object when processes are killed at random', async () => {
    await passes('stress_kills', '20');
  });
});
