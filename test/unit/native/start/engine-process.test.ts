/** Start and end of a process with an engine client. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MAX_CALL_SLOTS } from '../../../../src/native/abi/limits.ts';
import {
  createInjection,
  dataFunctions,
  type Injection,
  injectingLibrary,
  type Rule,
  selfTestCalls,
  unusablePool,
} from '../../../helpers/engine/injecting.ts';
import { testProgram } from '../../../helpers/process/programs.ts';
import { until } from '../../../helpers/process/until.ts';

const program = testProgram('native-client.ts');

/** Of a larger pool, a client maps up to 256 MiB in advance. */
const small = { UV_THREADPOOL_SIZE: '20', MMC_EMBEDDED_BYTES: String(8 * 2 ** 20) };

interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The output, line by line. */
  readonly found: Record<string, unknown>[];
  readonly first: Record<string, unknown>;
  readonly stderr: string;
  readonly started: (name: 'init' | 'uninit') => number;
  /** The most calls that were in the engine at the same time. */
  readonly maxInFlight: number;
}

interface Run {
  readonly rules?: readonly Rule[];
  readonly env?: Record<string, string>;
  readonly nodeArgs?: readonly string[];
  readonly embedded?: boolean;
  /** While the process runs. */
  readonly meanwhile?: (injection: Injection) => Promise<void>;
}

/** Runs a scenario on the injecting library (or the embedded engine) with rules from its start. */
async function run(scenario: string, options: Run = {}): Promise<Ran> {
  const injection = createInjection(options.rules);
  const library = options.embedded === true ? 'embedded' : await injectingLibrary();
  const nodeArgs = [...(options.nodeArgs ?? []), ...program.execArgv];
  const args = [...nodeArgs, program.file, scenario, library];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...small, ...injection.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process that waits on its JavaScript thread could not end itself.
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const stdout = text(child.stdout);
  const stderr = text(child.stderr);
  const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (...ending) => resolve(ending));
  });
  await options.meanwhile?.(injection).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  const [code, signal] = await closed;
  const lines = (await stdout).split('\n').filter((line) => /^["{]/.test(line));
  const counts = {
    init: injection.counters('init').started,
    uninit: injection.counters('uninit').started,
  };
  const { maxInFlight } = injection.counters('*');
  injection.dispose();
  const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    code,
    signal,
    found,
    first: found[0] ?? {},
    stderr: await stderr,
    started: (name) => counts[name],
    maxInFlight,
  };
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

describe('initialisation', () => {
  it('is retried after −1 and then succeeds', async () => {
    const ran = await run('open', { rules: [{ on: 'init', code: -1, first: 3 }] });
    assert.deepEqual([ran.code, ran.started('init')], [0, 4]);
    assert.deepEqual(ran.found[1], { closed: true });
  });

  it('is given up after a few attempts, with advice', async () => {
    const ran = await run('open', { rules: [{ on: 'init', code: -1 }] });
    assert.equal(ran.started('init'), 5);
    assert.equal(ran.first['code'], -1);
    assert.match(String(ran.first['advice']), /meta service.*MMC_LOCAL_CONFIG_PATH/s);
  });

  it('that fails names the lines of the configuration file whose keys some versions do not know', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'mcg-init-'));
    const file = path.join(folder, 'mmc-local.conf');
    writeFileSync(file, 'ock.mmc.log_level = info\nock.mmc.client.timeout.seconds = 60\n');
    const env = { MMC_LOCAL_CONFIG_PATH: file };
    const ran = await run('open', { env, rules: [{ on: 'init', code: -1 }] });
    rmSync(folder, { recursive: true });
    const line = `${file}:2: ock.mmc.client.timeout.seconds (version 1.2 and newer)`;
    assert.ok(String(ran.first['advice']).includes(`some versions do not know:\n  ${line}`));
    assert.ok(!String(ran.first['advice']).includes('log_level'));
  });

  it('is not retried after any other code', async () => {
    const ran = await run('open', { rules: [{ on: 'init', code: -3000 }] });
    assert.equal(ran.started('init'), 1);
    assert.match(String(ran.first['message']), /MMC_INVALID_PARAM \(-3000\)/);
  });

  it('on the embedded engine fails at once and names the variable with a bad value', async () => {
    const env = { MMC_EMBEDDED_POOL: '/not/a name', MMC_EMBEDDED_BYTES: '1048576' };
    const ran = await run('open', { embedded: true, env });
    assert.match(String(ran.first['message']), /initialised: MMC_EMBEDDED_POOL is not a name of /);
    assert.match(String(ran.first['advice']), /^Correct the variable/);
    assert.ok(Number(ran.first['elapsedMs']) < 10_000);
  });

  it('on the embedded engine names the fault of the pool, with advice on /dev/shm', async () => {
    const name = `mcg-own-test-mode-${process.pid}`;
    writeFileSync(`/dev/shm/${name}`, '', { mode: 0o644 });
    try {
      const env = { MMC_EMBEDDED_POOL: name, MMC_EMBEDDED_BYTES: '1048576' };
      const ran = await run('open', { embedded: true, env });
      assert.match(
        String(ran.first['message']),
        /mcg-own-test-mode-\d+ belongs to another user or/,
      );
      assert.match(String(ran.first['advice']), /\/dev\/shm/);
    } finally {
      rmSync(`/dev/shm/${name}`);
    }
  });

  it('reports for −2 from the self-test that every client of the pool must be restarted', async () => {
    const ran = await run('open', { rules: unusablePool });
    assert.equal(ran.first['code'], -2);
    assert.match(String(ran.first['message']), /self-test: put: MMC_UNUSABLE_POOL \(-2\)/);
    assert.match(String(ran.first['advice']), /Restart all clients of the\s+pool/);
    assert.deepEqual([ran.code, ran.started('uninit')], [0, 1], 'it leaves the pool again');
  });

  for (const [fault, rule] of [
    ['stores nothing', { on: 'put', noCopy: true }],
    ['copies nothing', { on: 'get', noCopy: true }],
    ['returns other bytes', { on: 'get', wrongData: true }],
    ['cannot remove', { on: 'remove', code: -1 }],
    ['has no room for the first object', { on: 'put', code: -1 }],
  ] as const) {
    it(`fails its self-test on an engine that ${fault}`, async () => {
      const ran = await run('open', { rules: [rule] });
      assert.match(String(ran.first['message']), /failed its self-test/);
      assert.equal(ran.code, 0);
    });
  }

  it('gives the memory of its arena back when the self-test fails', async (t) => {
    const good = await run('open');
    if (good.first['arenaKiB'] === undefined) {
      t.skip('this kernel has no huge pages, by which the arena is found');
      return;
    }
    assert.notEqual(good.first['arenaKiB'], 0);
    const failed = await run('open', { rules: [{ on: 'get', noCopy: true }] });
    assert.equal(failed.first['arenaKiB'], 0);
  });

  it('is not undone, which would crash, while the self-test hangs', async () => {
    const ran = await run('hang', { rules: [{ on: 'put', hang: true }] });
    assert.match(String(ran.first['message']), /self-test: .*300 ms/);
    assert.equal(ran.first['code'], -3004, 'so that the gateway tries again');
    assert.ok(Number(ran.first['elapsedMs']) < 10_000);
    assert.deepEqual([ran.code, ran.started('uninit')], [6, 0]);
  });

  for (const [name, symbol] of [
    ['set_log_level', 'mmc_set_log_level'],
    ['init', 'mmc_init'],
    ['local_service_id', 'mmcc_local_service_id'],
    ['register_buffer', 'mmcc_register_buffer'],
  ] as const) {
    it(`is given up when ${symbol} does not return, and undone when it returns later`, async () => {
      const ran = await run('late', { rules: [{ on: name, hang: true }] });
      const [late, second, last] = ran.found;
      assert.match(
        String(late?.['message']),
        new RegExp(`not returned from ${symbol} within 300 ms`),
      );
      assert.match(String(late?.['advice']), /meta service.*firewall.*--init-deadline-ms/s);
      assert.equal(late?.['code'], -3004, 'so that the gateway tries again');
      assert.ok(Number(late['elapsedMs']) < 10_000);
      assert.match(String(second?.['message']), /already has a client/, 'the call still goes on');
      assert.deepEqual(last, { closed: true });
      assert.deepEqual(
        [ran.code, ran.started('init'), ran.started('uninit')],
        [0, 2, 2],
        ran.stderr,
      );
    });
  }

  it('refuses an arena that the engine cannot register', async () => {
    const ran = await run('open', { rules: [{ on: 'register_buffer', code: -1 }] });
    assert.match(String(ran.first['message']), /refused to register the arena/);
    assert.equal(ran.started('uninit'), 1);
  });

  it('requires a configuration file, whatever the name of the library is', async () => {
    const ran = await run('open', { env: { MMC_LOCAL_CONFIG_PATH: '' } });
    assert.match(String(ran.first['message']), /MMC_LOCAL_CONFIG_PATH: is not set/);
    assert.equal(ran.started('init'), 0);
  });

  it('checks the configuration file before the engine is loaded', async () => {
    const file = path.join(import.meta.dirname, `../../../../build/world-size-${process.pid}.conf`);
    writeFileSync(file, 'ock.mmc.local_service.world_size = 1\n');
    const ran = await run('open', { env: { MMC_LOCAL_CONFIG_PATH: file } });
    assert.match(String(ran.first['message']), /world_size/);
    assert.equal(ran.started('init'), 0);
  });
});

describe('the address range that the preloaded library reserves', () => {
  const shim = fileURLToPath(
    new URL('../../../../build/native/libmcg_reserve.so', import.meta.url),
  );
  const preloaded = (bytes: number) => ({ LD_PRELOAD: shim, MCG_RESERVE_BYTES: `${bytes}` });

  it('is released before the engine is initialised', async () => {
    const ran = await run('open', { env: preloaded(16 * 2 ** 40) });
    assert.deepEqual([ran.first['opened'], ran.first['reserved']], [0, false]);
    assert.deepEqual(ran.first['warnings'], []);
  });

  it('causes a warning if it could not be reserved', async () => {
    const ran = await run('open', { env: preloaded(2 ** 50) });
    assert.match(String(ran.first['warnings']), /address range could not be reserved/);
    assert.equal(ran.first['opened'], 0);
  });

  it('causes a warning if the preloaded library was requested and is missing', async () => {
    const ran = await run('open', { env: { MCG_RESERVE_BYTES: '4096' } });
    assert.match(String(ran.first['warnings']), /libmcg_reserve\.so was not preloaded/);
    assert.equal(ran.first['opened'], 0);
  });
});

describe('the end of a process', () => {
  it('without close does not become an abort', async () => {
    const ran = await run('forget', { rules: [{ on: 'init', abortAtExit: true }] });
    assert.deepEqual([ran.code, ran.signal], [0, null], ran.stderr);
  });

  it('keeps its exit code', async () => {
    const ran = await run('exit3', { rules: [{ on: 'init', abortAtExit: true }] });
    assert.deepEqual([ran.code, ran.signal], [3, null], ran.stderr);
  });

  for (const embedded of [true, false]) {
    it(`prints an uncaught error, on the ${embedded ? 'embedded' : 'distributed'} engine`, async () => {
      const ran = await run('throw', { embedded, rules: [{ on: 'init', abortAtExit: true }] });
      assert.deepEqual([ran.code, ran.signal], [1, null], ran.stderr);
      assert.match(ran.stderr, /Error: nobody handles this/);
      assert.doesNotMatch(ran.stderr, /Error: handled/);
    });
  }

  it('leaves no pool of the embedded engine', async () => {
    const pools = (): string[] =>
      readdirSync('/dev/shm').filter((name) => name.includes('mcg-own-test'));
    const name = `mcg-own-test-${process.pid}`;
    const ran = await run('forget', { embedded: true, env: { MMC_EMBEDDED_POOL: name } });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(String(ran.first['pools']), new RegExp(name));
    assert.deepEqual(pools(), []);
  });

  it('is possible while uninit hangs: close rejects in bounded time, exitNow ends the process', async () => {
    const ran = await run('close', { rules: [{ on: 'uninit', hang: true }] });
    assert.equal(ran.first['closed'], false);
    assert.ok(Number(ran.first['elapsedMs']) < 10_000, 'close has 300 ms for everything');
    assert.deepEqual([ran.code, ran.signal, ran.started('uninit')], [5, null, 1]);
  });

  it('is possible while a call hangs: uninit, which would crash, is not called', async () => {
    const ran = await run('close', { rules: [{ on: 'exist', hang: true }] });
    assert.equal(ran.first['closed'], false);
    assert.ok(Number(ran.first['elapsedMs']) < 10_000);
    assert.deepEqual([ran.code, ran.signal, ran.started('uninit')], [5, null, 0]);
  });
});

describe('the largest number of call slots', () => {
  it('puts with the probe one call more than slots into the engine, however many are requested', async () => {
    const ran = await run('crowd', {
      env: { UV_THREADPOOL_SIZE: '64' },
      rules: [{ on: dataFunctions, hang: true, after: selfTestCalls }],
      async meanwhile(injection) {
        await until(() => {
          const { started, returned } = injection.counters('*');
          return started - returned === MAX_CALL_SLOTS + 1;
        });
        await injection.clear();
      },
    });
    assert.deepEqual(ran.first, { slots: MAX_CALL_SLOTS, inFlight: MAX_CALL_SLOTS + 1 });
    assert.deepEqual(ran.found[1], { failed: 0 });
    assert.equal(ran.maxInFlight, MAX_CALL_SLOTS + 1);
    assert.ok(ran.maxInFlight < 32, 'the engine breaks from 32 callers on');
    assert.equal(ran.code, 0, ran.stderr);
  });
});

describe('garbage collection', () => {
  it('collects no memory of calls in flight', { timeout: 120_000 }, async () => {
    const ran = await run('collect', {
      nodeArgs: ['--expose-gc'],
      rules: [{ on: '*', delayOutsideUs: 3000 }],
    });
    assert.equal(ran.code, 0, ran.stderr);
    const [found, closed] = ran.found;
    assert.equal(found?.['collected'], true);
    assert.deepEqual(
      found['good'],
      Array.from({ length: 180 }, () => true),
    );
    assert.equal(found['blocks'], 0);
    assert.deepEqual(closed, { closed: true });
  });
});
