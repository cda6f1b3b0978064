import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { askHealth } from '../../../src/cli/meta/health.ts';
import {
  type GatewayProcess,
  gatewayCommand,
  isAlive,
  spawnProgram,
} from '../../helpers/process/gateway.ts';
import { freePort, writeMetaService } from '../../helpers/process/meta-service.ts';
import { until } from '../../helpers/process/until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'meta-'));
const bin = writeMetaService(path.join(folder, 'bin'));
after(() => rmSync(folder, { recursive: true }));

const started: { meta: GatewayProcess; service: () => number }[] = [];
afterEach(async () => {
  for (const { meta, service } of started.splice(0)) {
    // A killed `meta` does not end its service, just as a killed shell does not end its child.
    const pid = service();
    await meta.kill();
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

interface Options {
  /** A command that runs the program given in its arguments. */
  readonly through?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Spawns `memcache-gateway meta` without the settings in the environment of the tests. */
function spawnMeta({ through = [], args = [], env = {} }: Options) {
  const [first = '', ...more]: string[] = [...through, process.execPath];
  const command: [string, ...string[]] = [first, ...more, ...gatewayCommand(), 'meta'];
  const none = { MMC_META_CONFIG_PATH: '', GATEWAY_ENGINE: '' };
  const meta = spawnProgram({ command, args, env: { ...none, ...env } });
  const service = () => Number(/^serving (\d+)$/m.exec(meta.stdout())?.[1] ?? 0);
  started.push({ meta, service });
  const readyLine = () => meta.logged().find(({ msg }) => msg === 'ready');
  return { ...meta, service, readyLine };
}

async function configuration(): Promise<{ conf: string; port: number }> {
  const port = await freePort();
  const conf = path.join(folder, `mmc-meta-${port}.conf`);
  writeFileSync(conf, `ock.mmc.meta_service.metrics_url = http://127.0.0.1:${port}\n`);
  return { conf, port };
}

/** Starts it with its own configuration, and waits until it is ready. */
async function startMeta({ args = ['--bin', bin], env = {} }: Options = {}) {
  const { conf, port } = await configuration();
  const meta = spawnMeta({ args, env: { MMC_META_CONFIG_PATH: conf, ...env } });
  await until(() => meta.readyLine() !== undefined, { what: 'the ready line' });
  return { ...meta, conf, port };
}

describe('memcache-gateway meta', () => {
  it('runs the service, passes its output through, and logs one line when it is ready', async () => {
    const meta = await startMeta();
    const line = meta.readyLine();
    assert(line);
    assert.equal(line['address'], 'tcp://127.0.0.1:5000');
    assert.equal(line['health'], `http://127.0.0.1:${meta.port}/health`);
    assert.equal(line['program'], bin);
    assert.equal(line['servicePid'], meta.service());
    assert.equal(line['pid'], meta.pid);
    assert.equal(meta.stderr(), 'on stderr\n');
    assert.equal(meta.logged().length, 1);
  });

  it('is ready only when the service reports ready', async () => {
    const ready = path.join(folder, 'in-service');
    const { conf } = await configuration();
    const meta = spawnMeta({
      args: ['--bin', bin],
      env: { MMC_META_CONFIG_PATH: conf, FAKE_READY: ready },
    });
    await until(() => meta.service() > 0);
    assert.equal(meta.readyLine(), undefined);
    writeFileSync(ready, '');
    await until(() => meta.readyLine() !== undefined);
  });

  it('finds the service beside the library, and prints a sentence with --log-format pretty', async () => {
    const engine = path.join(folder, 'lib64/libmf_memcache.so');
    const { conf } = await configuration();
    const meta = spawnMeta({
      args: ['--log-format', 'pretty'],
      env: { MMC_META_CONFIG_PATH: conf, GATEWAY_ENGINE: engine },
    });
    await until(() => /^The meta service is ready at tcp:\/\/127/m.test(meta.stdout()));
    assert.deepEqual(meta.logged(), []);
  });

  it('warns about doubtful keys in the configuration, and starts', async () => {
    const { conf } = await configuration();
    writeFileSync(conf, 'ock.mmc.nonsense = 1\n', { flag: 'a' });
    const meta = await startMeta({ env: { MMC_META_CONFIG_PATH: conf } });
    const [warning] = meta.logged();
    assert.equal(warning?.['level'], 'warn');
    assert.match(String(warning['msg']), /:2: ock\.mmc\.nonsense is not a documented key/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`forwards ${signal} once, and exits with the code of the service`, async () => {
      const meta = await startMeta({ env: { FAKE_EXIT: '7' } });
      // timeout(1) and npm send the signal twice, too.
      meta.signal(signal);
      meta.signal(signal);
      assert.deepEqual(await meta.ended, { code: 7, signal: null });
      assert.deepEqual(meta.stdout().match(/reported \w+/g), [`reported ${signal}`]);
      assert.equal(isAlive(meta.service()), false);
    });
  }

  it('kills the service at a second signal', async () => {
    const meta = await startMeta({ env: { FAKE_STUBBORN: '1' } });
    meta.signal('SIGTERM');
    await until(() => meta.stdout().includes('reported SIGTERM'));
    assert.equal(isAlive(meta.service()), true);
    meta.signal('SIGINT');
    assert.deepEqual(await meta.ended, { code: 128 + 9, signal: null });
    assert.equal(isAlive(meta.service()), false);
  });

  it('keeps serving when its output has no reader, and forwards SIGQUIT', async () => {
    const { conf, port } = await configuration();
    writeFileSync(conf, 'ock.mmc.nonsense = 1\n', { flag: 'a' });
    const meta = spawnMeta({
      through: ['bash', '-c', 'exec "$@" > >(true) 2> >(true)', 'bash'],
      args: ['--bin', bin],
      env: { MMC_META_CONFIG_PATH: conf, FAKE_EXIT: '7' },
    });
    const url = `http://127.0.0.1:${port}/health`;
    await until(async () => (await askHealth(url)).state === 'serving');
    meta.signal('SIGQUIT');
    assert.deepEqual(await meta.ended, { code: 7, signal: null });
    assert.equal((await askHealth(url)).state, 'silent');
  });

  it('ends the service when an uncaught error ends it', async () => {
    const script = "process.on('SIGUSR2',()=>{throw%20new%20Error('boom')})";
    const meta = await startMeta({
      env: { NODE_OPTIONS: `--import=data:text/javascript,${script}` },
    });
    meta.signal('SIGUSR2');
    assert.deepEqual(await meta.ended, { code: 1, signal: null });
    assert.match(meta.stderr(), /stopping the meta service: Error: boom\n +at /);
    assert.match(meta.stdout(), /^reported SIGTERM$/m);
    assert.equal(isAlive(meta.service()), false);
  });

  it('starts no service when a signal arrives before', async (t) => {
    const { conf, port } = await configuration();
    let asked = false;
    const other = net.createServer(() => {
      asked = true;
    });
    other.listen(port, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const meta = spawnMeta({ args: ['--bin', bin], env: { MMC_META_CONFIG_PATH: conf } });
    await until(() => asked);
    meta.signal('SIGTERM');
    assert.deepEqual(await meta.ended, { code: 128 + 15, signal: null });
    assert.equal(`${meta.stdout()}${meta.stderr()}`, '');
  });

  it('exits with 128+n when signal n has ended the service, and logs no ready line', async () => {
    const { conf } = await configuration();
    const meta = spawnMeta({
      args: ['--bin', bin],
      env: { MMC_META_CONFIG_PATH: conf, FAKE_END: 'SIGKILL' },
    });
    assert.deepEqual(await meta.ended, { code: 128 + 9, signal: null });
    assert.equal(meta.readyLine(), undefined);
  });

  it('exits with 1 when another program responds at the health address', async (t) => {
    const { conf, port } = await configuration();
    const other = net.createServer((socket) => socket.destroy());
    other.listen(port, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const meta = spawnMeta({ args: ['--bin', bin], env: { MMC_META_CONFIG_PATH: conf } });
    assert.deepEqual(await meta.ended, { code: 1, signal: null });
    assert.match(
      meta.stderr(),
      /another program already responds at http:\S+, .*metrics_url in .*\.conf$/m,
    );
    assert.equal(meta.stdout(), '');
  });

  it('exits with 1 when the system cannot run the program', async () => {
    const { conf } = await configuration();
    const script = path.join(folder, 'script');
    writeFileSync(script, '#!/nowhere/interpreter\n', { mode: 0o755 });
    const meta = spawnMeta({ args: ['--bin', script], env: { MMC_META_CONFIG_PATH: conf } });
    assert.deepEqual(await meta.ended, { code: 1, signal: null });
    assert.match(meta.stderr(), /script cannot be started: .*ENOENT/);
  });

  it('says that the embedded engine needs no meta service, and exits with 0', async () => {
    const meta = spawnMeta({});
    assert.deepEqual(await meta.ended, { code: 0, signal: null });
    assert.match(meta.stdout(), /^The embedded engine needs no meta service/);
    assert.equal(meta.stderr(), '');
  });

  it('lists all faults at once, and exits with 2 before it starts a process', async () => {
    const conf = path.join(folder, 'faulty.conf');
    const wrong = 'ock.mmc.meta_service_url = localhost';
    writeFileSync(conf, `# first\n${wrong}\n`);
    const meta = spawnMeta({
      args: ['--bin', path.join(folder, 'absent'), '--nonsense'],
      env: { MMC_META_CONFIG_PATH: conf },
    });
    assert.deepEqual(await meta.ended, { code: 2, signal: null });
    const faults = meta.stderr();
    assert.match(faults, /3 faults in the configuration/);
    assert.match(faults, /unknown flag --nonsense/);
    assert.match(faults, /--bin: there is no file .*absent; give the path of mmc_meta_service/);
    const line = `faulty.conf:2: '[^\n]+\n +line: +${wrong}\n +change to: ock\\S+ = tcp://127`;
    assert.match(faults, new RegExp(line));
    assert.equal(meta.stdout(), '');
  });

  it('says which variable to set when it is not set, and to create a missing file', async () => {
    const unset = spawnMeta({ args: ['--bin', bin] });
    assert.deepEqual(await unset.ended, { code: 2, signal: null });
    assert.match(
      unset.stderr(),
      /MMC_META_CONFIG_PATH: is not set; .*\n +set MMC_META_CONFIG_PATH=/,
    );
    const env = { MMC_META_CONFIG_PATH: '/nowhere/mmc-meta.conf' };
    const absent = spawnMeta({ args: ['--bin', bin], env });
    assert.deepEqual(await absent.ended, { code: 2, signal: null });
    assert.match(absent.stderr(), /\/nowhere\/mmc-meta\.conf: does not exist\n +create it/);
  });

  it('only checks and prints the program and the address with --check-config', async () => {
    const { conf, port } = await configuration();
    const args = ['--check-config', '--bin', bin];
    const meta = spawnMeta({ args, env: { MMC_META_CONFIG_PATH: conf } });
    assert.deepEqual(await meta.ended, { code: 0, signal: null });
    assert.match(meta.stdout(), new RegExp(`^program +${bin}$`, 'm'));
    assert.match(meta.stdout(), new RegExp(`^health +http://127\\.0\\.0\\.1:${port}/health$`, 'm'));
    assert.equal(meta.service(), 0);
  });
});
