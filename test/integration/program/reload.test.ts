/** SIGHUP and the settings file, with the real program. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { type OwnConnection, openOwnConnection } from '../../helpers/http/own-connection.ts';
import {
  childrenOf,
  type GatewayOptions,
  gatewayCommand,
  isAlive,
  type ReadyGateway,
  spawnProgram,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'reload-'));
const gateways: ReadyGateway[] = [];
const connections: OwnConnection[] = [];
after(async () => {
  for (const connection of connections) connection.close();
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  rmSync(folder, { recursive: true });
});

let files = 0;
function newFile(text: string): string {
  files += 1;
  const file = path.join(folder, `${files}.conf`);
  writeFileSync(file, text);
  return file;
}

async function start(options: GatewayOptions): Promise<ReadyGateway> {
  const gateway = await startGateway(options);
  gateways.push(gateway);
  return gateway;
}

const startPair = (file: string, ...args: string[]) =>
  start({
    args: [
      ...['--devices', '3,5', '--ready-when', 'all', '--pool-bytes', '32MiB'],
      ...['--settings-file', file, ...args],
    ],
  });

function connect(gateway: ReadyGateway): OwnConnection {
  const connection = openOwnConnection(gateway.url);
  connections.push(connection);
  return connection;
}

/** A connection to the worker of each device. */
async function connectToBoth(gateway: ReadyGateway): Promise<[OwnConnection, OwnConnection]> {
  const found = new Map<number, OwnConnection>();
  // A worker that is busy for a moment gets its connections later.
  await until(async () => {
    const connection = connect(gateway);
    found.set(await connection.device(), connection);
    return found.size === 2;
  });
  return [
    found.get(3) ?? assert.fail('no connection to device 3'),
    found.get(5) ?? assert.fail('no connection to device 5'),
  ];
}

/** Asks on the same connection as before whether its worker knows this layout. */
async function knows(connection: OwnConnection, layout: string): Promise<boolean> {
  const { opened, status } = await connection.ask('GET', `/v1/layers/absent?layout=${layout}`);
  assert.equal(opened, false);
  assert.ok(status === 404 || status === 400, String(status));
  return status === 404;
}

const linesOf = (gateway: ReadyGateway, message: string) =>
  gateway.logged().filter(({ msg }) => String(msg).startsWith(message));

/** Sends SIGHUP and waits until the log reports the result. */
async function hangUp(gateway: ReadyGateway, message: string): Promise<Record<string, unknown>> {
  const before = linesOf(gateway, message).length;
  gateway.signal('SIGHUP');
  await until(() => linesOf(gateway, message).length > before, { what: message });
  return linesOf(gateway, message).at(-1) ?? {};
}

const readAgain = 'the settings were read again';

describe('SIGHUP with a settings file', () => {
  it('gives every worker a new layout, and closes no connection', async () => {
    const file = newFile('GATEWAY_LAYOUT=old=2x3\n');
    const gateway = await startPair(file);
    const both = await connectToBoth(gateway);
    const workers = childrenOf(gateway.pid);
    for (const connection of both) {
      assert.deepEqual(
        [await knows(connection, 'old'), await knows(connection, 'new')],
        [true, false],
      );
    }
    writeFileSync(file, 'GATEWAY_LAYOUT=old=2x3;new=3x2\n');
    const line = await hangUp(gateway, readAgain);
    assert.deepEqual(line['applied'], ['--layout']);
    for (const connection of both) {
      // The message to a worker may still be in flight.
      await until(() => knows(connection, 'new'));
      assert.equal(await knows(connection, 'old'), true);
    }
    assert.deepEqual(childrenOf(gateway.pid), workers);
  });

  it('gives the new values to the worker that replaces a dead one', async () => {
    const file = newFile('GATEWAY_LOG_LEVEL=error\n');
    const gateway = await startPair(file, '--access-log');
    writeFileSync(file, 'GATEWAY_LAYOUT=new=3x2\nGATEWAY_LOG_LEVEL=info\n');
    await hangUp(gateway, readAgain);
    const [first = 0] = childrenOf(gateway.pid);
    process.kill(first, 'SIGKILL');
    await until(() => linesOf(gateway, 'worker is ready again').length === 1);
    for (const connection of await connectToBoth(gateway)) {
      await until(() => knows(connection, 'new'));
    }
    const successor = childrenOf(gateway.pid).at(-1);
    assert.notEqual(successor, first);
    await until(() => linesOf(gateway, 'request').some(({ pid }) => pid === successor));
  });

  it('changes the log level of the supervisor and of every worker', async () => {
    const file = newFile('GATEWAY_LOG_LEVEL=error\n');
    const gateway = await startPair(file, '--access-log');
    const both = await connectToBoth(gateway);
    assert.deepEqual(linesOf(gateway, 'request'), []);
    writeFileSync(file, 'GATEWAY_LOG_LEVEL=info\n');
    await hangUp(gateway, readAgain);
    await until(async () => {
      for (const connection of both) await connection.device();
      return new Set(linesOf(gateway, 'request').map(({ device }) => device)).size === 2;
    });
    // These are the last lines before the level `silent` takes effect.
    writeFileSync(file, 'GATEWAY_LOG_LEVEL=silent\nGATEWAY_KEEP_ALIVE_MS=1000\n');
    await hangUp(gateway, 'takes effect at the next start: --keep-alive-ms');
    assert.deepEqual(linesOf(gateway, readAgain).at(-1)?.['applied'], ['--log-level']);
  });

  it('changes nothing when the file has a fault, and logs the line of the fault', async () => {
    const file = newFile('GATEWAY_LAYOUT=old=2x3\n');
    const gateway = await startPair(file);
    writeFileSync(file, 'GATEWAY_LAYOUT=new=3x2\nGATEWAY_LOG_LEVL=error\nGATEWAY_DRAIN_MS=x\n');
    const line = await hangUp(gateway, 'the settings were read again and have faults');
    assert.equal(line['level'], 'error');
    const faults = line['faults'] as string[];
    assert.equal(faults.length, 2, JSON.stringify(faults));
    assert.match(faults[0] ?? '', /:2: "GATEWAY_LOG_LEVL" .* GATEWAY_LOG_LEVEL\?$/);
    assert.match(faults[1] ?? '', /:3: GATEWAY_DRAIN_MS: "x" is not/);
    rmSync(file);
    const gone = await hangUp(gateway, 'the settings were read again and have faults');
    assert.match(String(gone['faults']), /: does not exist/);
    for (const connection of await connectToBoth(gateway)) {
      assert.deepEqual(
        [await knows(connection, 'old'), await knows(connection, 'new')],
        [true, false],
      );
    }
  });

  it('names the settings that need a restart, and prefers flags', async () => {
    const file = newFile('GATEWAY_LAYOUT=file=2x3\n');
    const gateway = await startPair(file, '--log-level', 'info');
    writeFileSync(file, 'GATEWAY_KEEP_ALIVE_MS=1000\nGATEWAY_LOG_LEVEL=error\n');
    const waits = await hangUp(gateway, 'takes effect at the next start');
    assert.equal(waits['msg'], 'takes effect at the next start: --keep-alive-ms');
    assert.equal(waits['level'], 'warn');
    assert.deepEqual(linesOf(gateway, readAgain).at(-1)?.['applied'], ['--layout']);
    // The flag's level still logs this line.
    assert.deepEqual((await hangUp(gateway, readAgain))['applied'], []);
  });
});

describe('SIGHUP without a settings file', () => {
  it('logs that there is nothing to read again, and keeps connections open', async () => {
    const gateway = await start({});
    const connection = connect(gateway);
    await connection.device();
    await hangUp(gateway, 'SIGHUP: nothing to read again');
    assert.equal((await connection.ask('GET', '/readyz')).opened, false);
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });
});

const script = '/usr/bin/script';

describe('a terminal that closes', { skip: !existsSync(script) && 'needs script(1)' }, () => {
  it('stops its gateway even with a settings file', async () => {
    const file = newFile('');
    const program = [process.execPath, ...gatewayCommand()].join(' ');
    const line = `exec ${program} --port 0 --settings-file ${file}`;
    const terminal = spawnProgram({ command: [script, '-qec', line, '/dev/null'] });
    await until(() => terminal.stdout().includes('is ready at'), {
      deadlineMs: 30_000,
      what: 'the ready line',
    }).catch((error: unknown) => assert.fail(`${String(error)} ${terminal.stdout()}`));
    const [supervisor = 0] = childrenOf(terminal.pid);
    process.kill(supervisor, 'SIGHUP');
    await until(() => terminal.stdout().includes(readAgain));
    terminal.signal('SIGKILL');
    await until(() => !isAlive(supervisor), { deadlineMs: 20_000 });
  });
});
