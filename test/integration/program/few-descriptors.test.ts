import assert from 'node:assert/strict';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { MIN_DESCRIPTORS, neededDescriptors } from '../../../src/os/descriptors.ts';
import { askOnce, countResults } from '../../helpers/http/new-connections.ts';
import {
  gatewayCommand,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

/** The program under a limit of open files, soft and hard. */
const limited = (descriptors: number) =>
  [
    '/bin/sh',
    '-c',
    `ulimit -n ${descriptors} && exec "$0" "$@"`,
    process.execPath,
    ...gatewayCommand(),
  ] as const;

const gateways: ReadyGateway[] = [];
after(() => Promise.all(gateways.map((gateway) => gateway.kill())));

interface Client {
  readonly socket: net.Socket;
  /** The device of the worker that has responded. */
  device: string | undefined;
  isClosed: boolean;
}

/** Sends a request, and keeps its connection open. */
function openClient(port: number): Client {
  const socket = net.connect(port, '127.0.0.1');
  const client: Client = { socket, device: undefined, isClosed: false };
  socket.setEncoding('latin1').on('data', (text: string) => {
    client.device = /"device":(\d+)/.exec(text)?.[1] ?? client.device;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      client.isClosed = true;
    });
  socket.write('GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  return client;
}

const isServed = ({ device }: Client): boolean => device !== undefined;

describe('a gateway with few file descriptors', () => {
  for (const descriptors of [30, MIN_DESCRIPTORS - 1]) {
    it(`exits with 1 and says what to do: ${descriptors}`, async () => {
      const gateway = spawnGateway({ command: limited(descriptors) });
      assert.equal((await gateway.ended).code, 1);
      assert.match(gateway.stderr(), /(limit of open files is \d+|file descriptors).*ulimit -n/);
    });
  }

  it('exits with 1 when it has too few for its devices', async () => {
    const devices = 64;
    const needed = neededDescriptors({ workers: devices, listeners: 1 });
    assert.ok(needed > MIN_DESCRIPTORS);
    const gateway = spawnGateway({
      command: limited(needed - 1),
      args: ['--devices', `0-${devices - 1}`],
    });
    assert.equal((await gateway.ended).code, 1);
    assert.match(gateway.stderr(), new RegExp(`limit of open files is ${needed - 1}.* ${needed};`));
  });

  it('serves with the required number, logs how many connections fit, and ends on SIGTERM', async () => {
    const gateway = await startGateway({ command: limited(MIN_DESCRIPTORS) });
    gateways.push(gateway);
    const lines = gateway.logged().filter(({ openFiles }) => openFiles === MIN_DESCRIPTORS);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'info'],
    );
    const connections = Number(gateway.ready['maxConnections']);
    assert.ok(connections >= 8);
    // More clients than fit: the kernel holds their connections until others end.
    const where = { port: gateway.port, host: '127.0.0.1' };
    const all = Array.from({ length: 4 * connections }, () => askOnce(where));
    assert.deepEqual(countResults(await Promise.all(all)), { 200: 4 * connections });
    assert.equal((await gateway.stop()).code, 0);
  });

  it('lets connections wait while all workers are full, until one of them has room', async () => {
    const gateway = await startGateway({
      command: limited(MIN_DESCRIPTORS),
      args: ['--devices', '0,1', '--ready-when', 'all'],
    });
    gateways.push(gateway);
    const clients: Client[] = [];
    for (let n = Number(gateway.ready['maxConnections']); n > 0; n -= 1) {
      const client = openClient(gateway.port);
      clients.push(client);
      await until(() => isServed(client) || client.isClosed);
    }
    assert.deepEqual(
      ['0', '1'].map((worker) => clients.filter(({ device }) => device === worker).length),
      [clients.length / 2, clients.length / 2],
    );
    const waiting = Array.from({ length: 4 }, () => openClient(gateway.port));
    const leaving = clients.filter(({ device }) => device === '1').slice(0, waiting.length);
    for (const { socket } of leaving) socket.destroy();
    await until(() => waiting.every((client) => isServed(client) || client.isClosed));
    assert.deepEqual(
      waiting.map(({ device }) => device),
      waiting.map(() => '1'),
    );
    const warnings = gateway.logged().filter(({ msg }) => /as many connections/.test(String(msg)));
    assert.deepEqual(new Set(warnings.map(({ device }) => device)), new Set([0, 1]));
    for (const { socket } of [...clients, ...waiting]) socket.destroy();
    assert.equal((await gateway.stop()).code, 0);
  });
});
