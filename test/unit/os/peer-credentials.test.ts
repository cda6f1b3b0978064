import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { peerOf } from '../../../src/os/peer-credentials.ts';
import { processStart } from '../../../src/os/process-start.ts';
import { until } from '../../helpers/process/until.ts';

describe('the peer of a connection', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'peers-'));
  const file = path.join(folder, 'peers.sock');
  before(() => setFeature('socket-descriptor', 'on'));
  after(() => {
    setFeature('socket-descriptor', 'unprobed');
    rmSync(folder, { recursive: true });
  });

  /** A server, and the first connection to it. */
  async function accept(place: string | number, connect: (at: net.AddressInfo | string) => void) {
    const server = net.createServer({ pauseOnConnect: true }).listen(place);
    await once(server, 'listening');
    connect(server.address() as net.AddressInfo | string);
    const [socket] = (await once(server, 'connection')) as [Socket];
    const close = () => {
      socket.destroy();
      server.close();
    };
    return { socket, close };
  }

  it('is its process and its user on a Unix socket', async () => {
    let client: Socket | undefined;
    const { socket, close } = await accept(file, () => (client = net.connect(file)));
    const startTicks = processStart(process.pid) ?? null;
    assert.match(startTicks ?? '', /^\d+$/);
    assert.deepEqual(peerOf(socket), { uid: process.getuid?.(), pid: process.pid, startTicks });
    client?.destroy();
    close();
    assert.equal(peerOf(socket)?.pid, process.pid, 'also after the connection is closed');
  });

  it('stays the one that has connected after that has ended', async () => {
    const program = `require('node:net').connect('${file}')`;
    let child: ChildProcess | undefined;
    const { socket, close } = await accept(file, () => {
      child = spawn(process.execPath, ['--eval', program], { stdio: 'inherit' });
    });
    const before = peerOf(socket);
    assert.equal(before?.pid, child?.pid);
    child?.kill('SIGKILL');
    await until(() => processStart(child?.pid ?? 0) === undefined);
    assert.deepEqual(peerOf(socket), before);
    close();
  });

  it('is unknown for a closed connection', async () => {
    let client: Socket | undefined;
    const { socket, close } = await accept(file, () => (client = net.connect(file)));
    client?.destroy();
    close();
    assert.equal(peerOf(socket), undefined);
  });

  it('has no process when that has ended', async () => {
    const program = `require('node:net').connect('${file}').on('connect', () => process.exit())`;
    const child = spawn(process.execPath, ['--eval', program], { stdio: 'inherit' });
    const { socket, close } = await accept(file, () => undefined);
    await once(child, 'exit');
    await until(() => processStart(child.pid ?? 0) === undefined);
    assert.deepEqual(peerOf(socket), { uid: process.getuid?.(), pid: null, startTicks: null });
    close();
  });

  it('is not known for TCP', async () => {
    let client: Socket | undefined;
    const { socket, close } = await accept(0, (at) => {
      client = net.connect((at as net.AddressInfo).port, '127.0.0.1');
    });
    assert.equal(peerOf(socket), undefined);
    client?.destroy();
    close();
  });
});
