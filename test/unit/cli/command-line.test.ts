import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { embeddedLibraryPath } from '../../../src/native/start/built-libraries.ts';
import type { CommandLine, CommandOutcome } from '../../fixtures/command-lines.ts';
import { gatewayCommand } from '../../helpers/process/gateway.ts';
import { testProgram } from '../../helpers/process/programs.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'cli-'));
after(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** A library with every function of the engine. */
const library = path.join(folder, 'libmf_memcache.so');
symlinkSync(embeddedLibraryPath, library);

/** The program, as a user runs it. */
const run = (args: readonly string[], env?: CommandLine['env']): Promise<CommandOutcome> =>
  execute([...gatewayCommand(), ...args], env);

/** Several command lines in one process. */
async function runAll(list: readonly CommandLine[]): Promise<CommandOutcome[]> {
  const { file, execArgv } = testProgram('command-lines.ts');
  const { stdout, stderr } = await execute([...execArgv, file, JSON.stringify(list)]);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as CommandOutcome[];
}

async function execute(words: readonly string[], env: CommandLine['env'] = {}) {
  const child = spawn(process.execPath, words, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

describe('the command line', () => {
  it('prints the help, and the version of the package', async () => {
    const help = await run(['--help', '--nonsense']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: memcache-gateway /);
    assert.match(help.stdout, /^ +memcache-gateway meta /m);
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('reports every fault of the configuration at once, and exits with 2', async () => {
    const { code, stderr, stdout } = await run(['--port', '99999', '--devise', '1'], {
      GATEWAY_HOST: '0.0.0.0',
    });
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /3 faults in the configuration/);
    assert.match(stderr, /--port: 99999 is out of range/);
    assert.match(stderr, /--devise; did you mean --devices\?/);
    assert.match(stderr, /GATEWAY_HOST: 0\.0\.0\.0 can be reached/);
  });

  it('has a meta command with its own help', async () => {
    const help = await run(['meta', '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: memcache-gateway meta /);
    const late = await run(['--port', '1234', 'meta']);
    assert.equal(late.code, 2);
    assert.match(late.stderr, /"meta" is a command: give it before all flags/);
  });

  it('does not run as a worker when a user requests that', async () => {
    const { code, stderr } = await run(['worker']);
    assert.equal(code, 2);
    assert.match(stderr, /"worker" is not a flag/);
  });
});

describe('a start on the distributed engine', () => {
  it('refuses a configuration that would crash it before any worker starts, with the line to change', async () => {
    const engine = fileWith('empty.so', '');
    const conf = fileWith('world.conf', '# of one\nock.mmc.local_service.world_size = 1\n');
    const { code, stderr, stdout } = await run(['--port', '0', '--engine', engine], {
      MMC_LOCAL_CONFIG_PATH: conf,
    });
    // A worker would fail to load the empty library, which exits with 1.
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      [
        'memcache-gateway: a fault in the configuration:',
        `  - ${conf}:2: the engine crashes with a world_size below 2`,
        '      line:      ock.mmc.local_service.world_size = 1',
        '      change to: ock.mmc.local_service.world_size = 2',
        '',
      ].join('\n'),
    );
  });
});

describe('the limit for trusted reads', () => {
  const key = 'ock.mmc.meta.lease_ttl_ms';
  const check = (all: readonly (readonly [slowReadMs: string, meta: string | undefined])[]) => {
    const args = ['--check-config', '--engine', library];
    return runAll(
      all.map(([slowReadMs, meta]) => ({
        args,
        env: {
          MMC_LOCAL_CONFIG_PATH: 'none',
          GATEWAY_SLOW_READ_MS: slowReadMs,
          ...(meta === undefined ? {} : { MMC_META_CONFIG_PATH: meta }),
        },
      })),
    );
  };
  const isAccepted = (outcome: CommandOutcome | undefined) =>
    assert.deepEqual([outcome?.code, outcome?.stderr], [0, '']);

  it('is refused at and above the lease in the meta service file, with both values', async () => {
    const meta = fileWith('lease.conf', `# read lease\n${key} = 10000\n`);
    const limits = ['10000', '10001'];
    const [below, ...refused] = await check(['9999', ...limits].map((limit) => [limit, meta]));
    isAccepted(below);
    for (const [at, limit] of limits.entries()) {
      assert.equal(refused[at]?.code, 2);
      const figures = `${limit} ms would be trusted.*ends after 10000 ms.*${meta}:2`;
      assert.match(refused[at].stderr, new RegExp(`--slow-read-ms: .*${figures}.*less than 10000`));
    }
  });

  it('is compared with 2000 ms if the file sets no lease', async () => {
    const meta = fileWith('no-lease.conf', 'ock.mmc.log_level = info\n');
    const [below, refused] = await check(['1999', '2000'].map((limit) => [limit, meta]));
    isAccepted(below);
    assert.equal(refused?.code, 2);
    assert.match(
      refused.stderr,
      /ends after 2000 ms .*the default, since .*no-lease\.conf does not set it/,
    );
  });

  it('causes a warning from 2000 ms on if no file can be read', async () => {
    const unclear = fileWith('unclear.conf', `${key} = soon\n`);
    const unreadable = [undefined, '/nowhere/mmc-meta.conf', folder, unclear];
    for (const below of await check(unreadable.map((meta) => ['1999', meta]))) isAccepted(below);
    const warned = await check(unreadable.map((meta) => ['2000', meta]));
    assert.equal(warned.length, unreadable.length);
    for (const { code, stderr } of warned) {
      assert.equal(code, 0);
      assert.match(stderr, /2000 ms is safe only if .*lease.*MMC_META_CONFIG_PATH/);
    }
  });
});

describe('--check-config', () => {
  it('prints the effective configuration with the origin of each value', async () => {
    const { code, stderr, stdout } = await run(['--check-config', '--port', '1234'], {
      GATEWAY_DEVICES: '0,1,2,5',
      GATEWAY_LOG_LEVL: 'info',
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^--port +1234 {2}\[--port\]$/m);
    assert.match(stdout, /^--devices +0-2,5 {2}\[GATEWAY_DEVICES\]$/m);
    assert.match(stdout, /^--arena-bytes +1GiB {2}\[default\]$/m);
    assert.match(stderr, /GATEWAY_LOG_LEVL is no setting .* GATEWAY_LOG_LEVEL\?/);
  });

  it('names the line of the settings file for a value from it', async () => {
    const conf = fileWith('settings.conf', '# of this host\nGATEWAY_PORT=1234\n');
    const args = ['--check-config', '--settings-file', conf];
    const { code, stderr, stdout } = await run(args);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(`  1234  [${conf}:2]\n`), stdout);
    writeFileSync(conf, 'GATEWAY_PORT=x\n');
    const faulty = await run(args);
    assert.equal(faulty.code, 2);
    assert.ok(faulty.stderr.includes(`  - ${conf}:1: GATEWAY_PORT: "x" is not`), faulty.stderr);
  });

  it('checks every named file', async () => {
    const { code, stderr } = await run(
      ['--check-config', '--engine', '/nowhere/libmf_memcache.so', '--engine-preload', folder],
      { MMC_LOCAL_CONFIG_PATH: '/nowhere/mmc-local.conf' },
    );
    assert.equal(code, 2);
    assert.match(stderr, /--engine: there is no file \/nowhere\/libmf_memcache\.so/);
    assert.match(stderr, /--engine-preload: .* is not a file/);
    assert.match(stderr, /\/nowhere\/mmc-local\.conf/);
  });

  it("finds a fault in the engine's file that would crash it, with the line to change", async () => {
    const engine = fileWith('empty.so', '');
    const conf = fileWith('mmc-local.conf', 'ock.mmc.local_service.world_size = 1\n');
    const { code, stderr } = await run(['--check-config', '--engine', engine], {
      MMC_LOCAL_CONFIG_PATH: conf,
    });
    assert.equal(code, 2);
    assert.match(stderr, /mmc-local\.conf:1: /);
    assert.match(stderr, /world_size/);
  });

  it('reports a missing or unreadable file of the engine, and what to do', async () => {
    const args = ['--check-config', '--engine', library];
    const files = [
      [path.join(folder, 'absent.conf'), /absent\.conf: does not exist\n +create it, or correct/],
      [folder, / is a directory\n +set MMC_LOCAL_CONFIG_PATH to the path of a file/],
    ] as const;
    const outcomes = await runAll(
      files.map(([name]) => ({ args, env: { MMC_LOCAL_CONFIG_PATH: name } })),
    );
    for (const [at, [, problem]] of files.entries()) {
      assert.equal(outcomes[at]?.code, 2);
      assert.match(outcomes[at].stderr, problem);
    }
  });

  it('requires a file for the engine, unless it is set to none', async () => {
    const renamed = path.join(folder, 'engine.so');
    symlinkSync(embeddedLibraryPath, renamed);
    const lines = [library, renamed].flatMap((engine) => {
      const args = ['--check-config', '--engine', engine];
      return ['', 'none'].map((file) => ({ args, env: { MMC_LOCAL_CONFIG_PATH: file } }));
    });
    const outcomes = await runAll(lines);
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [2, 0, 2, 0],
    );
    for (const { code, stderr } of outcomes) {
      if (code === 0) assert.equal(stderr, '');
      else assert.match(stderr, /MMC_LOCAL_CONFIG_PATH: is not set/);
    }
  });

  it('reports a file that is no library, and a library that is no engine', async () => {
    const env = { MMC_LOCAL_CONFIG_PATH: 'none' };
    const check = (engine: string) => ({ args: ['--check-config', '--engine', engine], env });
    const empty = fileWith('empty.so', '');
    const helper = path.join(path.dirname(embeddedLibraryPath), 'libmcg_reserve.so');
    const [text, other] = await runAll([check(empty), check(helper)]);
    assert.equal(text?.code, 2);
    assert.match(text.stderr, /--engine: Cannot load .*empty\.so: .*\n +It is no shared library/);
    assert.equal(other?.code, 2);
    assert.match(other.stderr, /is not the engine: it has none of the 16 functions/);
  });

  it('reports a library that ends its process, and does not wait for processes that it starts', async () => {
    const env = { MMC_LOCAL_CONFIG_PATH: 'none' };
    const compile = (name: string, body: string): string => {
      const source = fileWith(
        `${name}.c`,
        `#include <unistd.h>\n__attribute__((constructor)) void f(void) { ${body} }`,
      );
      const output = path.join(folder, `${name}.so`);
      execFileSync(process.env['CC'] ?? 'cc', ['-shared', '-fPIC', '-o', output, source]);
      return output;
    };
    const engines = [
      compile('quits', '_exit(0);'),
      compile('forks', 'if (fork() == 0) { sleep(60); _exit(0); }'),
    ];
    const startMs = performance.now();
    const outcomes = await runAll(
      engines.map((engine) => ({ args: ['--check-config', '--engine', engine], env })),
    );
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [2, 2],
    );
    assert.match(String(outcomes[0]?.stderr), /a process that loads .*quits\.so exits with 0/);
    assert.match(String(outcomes[1]?.stderr), /forks\.so is not the engine/);
    assert.ok(performance.now() - startMs < 40_000);
  });

  it('shows its warnings beside the faults', async () => {
    const { code, stderr } = await run(['--check-config', '--port', 'x'], { GATEWAY_PROT: '1' });
    assert.equal(code, 2);
    assert.match(stderr, /^warning: GATEWAY_PROT is no setting.*did you mean GATEWAY_PORT\?\n/);
    assert.match(stderr, /--port: "x" is not a whole number/);
  });

  it('refuses a pool that is larger than the memory of the machine', async () => {
    const { code, stderr } = await run(['--check-config', '--pool-bytes', '1TiB']);
    assert.equal(code, 2);
    assert.match(stderr, /--pool-bytes: this machine has .*, less than 1TiB; give at most about /);
  });
});
