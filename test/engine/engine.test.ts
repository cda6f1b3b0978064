/**
 * The embedded engine's own tests, which are C programs: they look into shared memory, stop and
 * kill processes at chosen instants, and check every byte. Here they run plain and for a short
 * time; `npm run test:engine:sanitize` runs them for longer under the sanitizers.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = path.join(root, 'build', 'native', 'engine-test');

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Recovery within 100 ms is asserted with this much slack: other test files run at the same time. */
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

/** The pools of which a line says that they are made anew; no other line is a warning. */
function madeAnew(stderr: string): string[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('memcache-embedded'));
  return lines.map(
    (line) =>
      /^memcache-embedded warning: pool (\S+) has no valid header, .* is empty$/.exec(line)?.[1] ??
      assert.fail(line),
  );
}

describe('the embedded engine', () => {
  before(() => {
    execFileSync(process.execPath, [path.join(root, 'scripts', 'build-engine.mjs'), '--tests']);
  });

  it('finds the lowest run of free space that is long enough', async () => {
    await passes('bitmap');
  });

  it('answers in one process as the distributed engine does, and keeps stdout clean', async () => {
    const { stdout } = await passes('conformance');
    assert.equal(stdout, 'conformance: ok\n');
  });

  it('shares objects, replicas, half-written keys and pins between processes', async () => {
    await passes('processes');
  });

  it('forgets what a killed process owned, and nothing else', async () => {
    await passes('deaths');
  });

  it('waits once for a stopped owner of a lock, and takes over from a killed one', async () => {
    await passes('locks');
  });

  it('waits for each lock as long as its thread may, whatever other waits have failed', async () => {
    await passes('waits');
  });

  it('leaves a pool whose header was destroyed, and makes it anew with one line', async () => {
    const { stderr } = await passes('destroyed');
    const pools = madeAnew(stderr);
    // A client that SIGBUS ends leaves no mark in a file that is cut off to nothing.
    assert.ok([13, 14].includes(pools.length), stderr);
    assert.equal(new Set(pools).size, pools.length, stderr);
  });

  it('survives any bytes in a pool, and makes anew with one line what it finds overwritten', async () => {
    const { stdout, stderr } = await passes('overwritten', '1');
    const pools = madeAnew(stderr);
    assert.equal(new Set(pools).size, pools.length, stderr);
    const noticed = Number(/ok, (\d+) of/.exec(stdout)?.[1]);
    assert.ok(noticed > 0 && pools.length >= noticed, `${stdout}${stderr}`);
  });

  it('makes memory and entry table ready ahead of the puts that use them', async () => {
    await passes('touch');
  });

  it('says when a pool is foreign or full, and fails puts where /dev/shm has no room', async (t) => {
    const { stdout, stderr } = await passes('room');
    const skipped = /^room: (a small \/dev\/shm is not tested, since .*)$/m.exec(stdout)?.[1];
    await t.test('in a small /dev/shm, of which it warns', { skip: skipped ?? false }, () => {
      assert.match(stderr, /\/dev\/shm has 48 MiB, the pool wants 200 MiB/);
    });
  });

  it('survives a death after any number of instructions', async () => {
    await passes('instructions', '397');
  });

  it('serves threads that fight over keys', async () => {
    await passes('stress_threads', '1');
  });

  it('loses and tears nothing when processes are killed at random', async () => {
    await passes('stress_kills', '40');
  });
});
