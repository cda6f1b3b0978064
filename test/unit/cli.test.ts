import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gatewayCommand } from '../helpers/gateway.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'cli-'));
after(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [...gatewayCommand(), ...args], {
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
  it('shows the help, and the version of the package', async () => {
    const help = await run(['--help', '--nonsense']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: memcache-gateway /);
    assert.match(help.stdout, /^ +memcache-gateway meta /m);
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('lists every fault of the configuration at once, and ends with 2', async () => {
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

  it('has a command with a help of its own, which stands first', async () => {
    const help = await run(['meta', '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: memcache-gateway meta /);
    const late = await run(['--port', '1234', 'meta']);
    assert.equal(late.code, 2);
    assert.match(late.stderr, /"meta" is a command: it stands before all flags/);
  });

  it('is no worker for a person who asks for one', async () => {
    const { code, stderr } = await run(['worker']);
    assert.equal(code, 2);
    assert.match(stderr, /"worker" is no flag/);
  });
});

describe('a start on the distributed engine', () => {
  it('refuses what would crash it before there is any worker, with the line to change', async () => {
    const engine = fileWith('libmf_memcache.so', '');
    const conf = fileWith('world.conf', '# of one\nock.mmc.local_service.world_size = 1\n');
    const { code, stderr, stdout } = await run(['--port', '0', '--engine', engine], {
      MMC_LOCAL_CONFIG_PATH: conf,
    });
    // A worker would have failed to load the empty library, which ends with 1.
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
  const check = async (slowReadMs: string, meta: string | undefined) => {
    const engine = fileWith('libmf_memcache.so', '');
    const env = { MMC_LOCAL_CONFIG_PATH: 'none', GATEWAY_SLOW_READ_MS: slowReadMs };
    const more = meta === undefined ? {} : { MMC_META_CONFIG_PATH: meta };
    const { code, stderr } = await run(['--check-config', '--engine', engine], { ...env, ...more });
    return { code, stderr };
  };

  it('is refused at and above the lease of the meta service file, with both figures', async () => {
    const meta = fileWith('lease.conf', `# read lease\n${key} = 10000\n`);
    assert.deepEqual(await check('9999', meta), { code: 0, stderr: '' });
    for (const slowReadMs of ['10000', '10001']) {
      const { code, stderr } = await check(slowReadMs, meta);
      assert.equal(code, 2);
      const figures = `${slowReadMs} ms would be trusted.*ends after 10000 ms.*${meta}:2`;
      assert.match(stderr, new RegExp(`--slow-read-ms: .*${figures}.*less than 10000`));
    }
  });

  it('is held against 2000 ms where the file sets no lease', async () => {
    const meta = fileWith('no-lease.conf', 'ock.mmc.log_level = info\n');
    assert.deepEqual(await check('1999', meta), { code: 0, stderr: '' });
    const { code, stderr } = await check('2000', meta);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /ends after 2000 ms .*the default, since .*no-lease\.conf does not set it/,
    );
  });

  it('brings a warning from 2000 ms on where no file can be read', async () => {
    const unclear = fileWith('unclear.conf', `${key} = soon\n`);
    for (const meta of [undefined, '/nowhere/mmc-meta.conf', folder, unclear]) {
      assert.deepEqual(await check('1999', meta), { code: 0, stderr: '' });
      const { code, stderr } = await check('2000', meta);
      assert.equal(code, 0);
      assert.match(stderr, /2000 ms is safe only if .*lease.*MMC_META_CONFIG_PATH/);
    }
  });
});

describe('--check-config', () => {
  it('prints the effective configuration and where it comes from', async () => {
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

  it('tells which line of the settings file a value comes from', async () => {
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

  it('looks at every file that is named', async () => {
    const { code, stderr } = await run(
      ['--check-config', '--engine', '/nowhere/libmf_memcache.so', '--engine-preload', folder],
      { MMC_LOCAL_CONFIG_PATH: '/nowhere/mmc-local.conf' },
    );
    assert.equal(code, 2);
    assert.match(stderr, /--engine: there is no file \/nowhere\/libmf_memcache\.so/);
    assert.match(stderr, /--engine-preload: .* is not a file/);
    assert.match(stderr, /\/nowhere\/mmc-local\.conf/);
  });

  it('finds what would crash the engine in its own file, with the line to change', async () => {
    const engine = fileWith('libmf_memcache.so', '');
    const conf = fileWith('mmc-local.conf', 'ock.mmc.local_service.world_size = 1\n');
    const { code, stderr } = await run(['--check-config', '--engine', engine], {
      MMC_LOCAL_CONFIG_PATH: conf,
    });
    assert.equal(code, 2);
    assert.match(stderr, /mmc-local\.conf:1: /);
    assert.match(stderr, /world_size/);
  });

  it('finds a file of the engine that is absent or unreadable, and says what to do', async () => {
    const args = ['--check-config', '--engine', fileWith('libmf_memcache.so', '')];
    for (const [name, problem] of [
      [path.join(folder, 'absent.conf'), /absent\.conf: does not exist\n +create it, or correct/],
      [folder, / is a directory\n +let MMC_LOCAL_CONFIG_PATH name the file itself/],
    ] as const) {
      const { code, stderr } = await run(args, { MMC_LOCAL_CONFIG_PATH: name });
      assert.equal(code, 2);
      assert.match(stderr, problem);
    }
  });

  it('wants the engine to have its file, unless it is said to need none', async () => {
    for (const name of ['libmf_memcache.so', 'engine.so']) {
      const args = ['--check-config', '--engine', fileWith(name, '')];
      const unset = await run(args, { MMC_LOCAL_CONFIG_PATH: '' });
      assert.equal(unset.code, 2);
      assert.match(unset.stderr, /MMC_LOCAL_CONFIG_PATH: is not set/);
      const none = await run(args, { MMC_LOCAL_CONFIG_PATH: 'none' });
      assert.deepEqual([none.code, none.stderr], [0, '']);
    }
  });
});
