import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { withAddressLock } from '../../../../src/supervisor/listeners/address-lock.ts';
import { openListeners } from '../../../../src/supervisor/listeners/listeners.ts';
import type { ListenError } from '../../../../src/supervisor/listeners/open-server.ts';
import { removeIfSame } from '../../../../src/supervisor/listeners/socket-file.ts';
import { listenUnix } from '../../../../src/supervisor/listeners/unix-listener.ts';
import { until } from '../../../helpers/process/until.ts';

const folder = fs.mkdtempSync(path.join(tmpdir(), 'listeners-'));
after(() => fs.rmSync(folder, { recursive: true }));
let files = 0;
const newFile = (): string => {
  files += 1;
  return path.join(folder, `${files}.sock`);
};

const ignore = () => {};
/** Closed after each test, also after a failed one; closing twice has no effect. */
const opened: { close(): void }[] = [];
afterEach(() => {
  for (const listener of opened.splice(0)) listener.close();
});
async function keep<T extends { close(): void }>(opening: Promise<T>): Promise<T> {
  const listener = await opening;
  opened.push(listener);
  return listener;
}
const accepting = (file: string) => keep(listenUnix(file, 0o660, ignore));

async function failure(opening: Promise<{ close(): void }>): Promise<string> {
  const error = await opening.then(
    (opened) => opened.close(),
    (caught: unknown) => caught as ListenError,
  );
  assert.equal(error?.name, 'ListenError');
  return error.message;
}

/** Only these files, so no provisional name either. */
const assertFiles = (...names: string[]) => {
  const found = fs.readdirSync(folder).map((name) => path.join(folder, name));
  for (const name of names) assert(found.includes(name), `${name} is not there`);
  assert.deepEqual(
    found.filter((name) => !/^\d+\.sock$/.test(path.basename(name))),
    [],
  );
};

/** A socket file without a listener, as a killed program leaves it. */
async function staleSocket(file: string): Promise<void> {
  const server = net.createServer().listen(`${file}.bound`);
  await once(server, 'listening');
  fs.renameSync(`${file}.bound`, file);
  server.close();
  await once(server, 'close');
  assert(fs.lstatSync(file).isSocket());
}

describe('a socket file', () => {
  it('passes on connections of which no byte has been read', async () => {
    const file = newFile();
    const accepted: net.Socket[] = [];
    const listener = await keep(listenUnix(file, 0o660, (socket) => accepted.push(socket)));
    assert.equal(listener.address, `unix:${file}`);
    net.connect(file).end('hello');
    await until(() => accepted.length === 1);
    const [socket] = accepted;
    assert(socket);
    assert.equal(socket.bytesRead, 0);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += String(chunk)));
    socket.resume();
    await until(() => text === 'hello');
    socket.destroy();
    listener.close();
  });

  for (const mode of [0o660, 0o600, 0o666, 0o622]) {
    it(`has the mode 0${mode.toString(8)}, whatever the umask is, and does not change the umask`, async () => {
      const file = newFile();
      const umask = 0o027;
      const before = process.umask(umask);
      const listener = await keep(listenUnix(file, mode, ignore));
      assert.equal(process.umask(before), umask);
      assert.equal(fs.lstatSync(file).mode & 0o777, mode);
      assertFiles(file);
      listener.close();
      assert.equal(fs.existsSync(file), false);
    });
  }

  it('replaces one without a listener', async () => {
    const file = newFile();
    await staleSocket(file);
    const listener = await accepting(file);
    const client = net.connect(file);
    await once(client, 'connect');
    client.destroy();
    listener.close();
  });

  it('that is stale is taken by only one of several gateways', async () => {
    const file = newFile();
    for (let round = 0; round < 20; round++) {
      await staleSocket(file);
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => accepting(file)));
      const winners = results.filter(({ status }) => status === 'fulfilled');
      assert.equal(winners.length, 1, `round ${round}`);
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        assert.match(String(result.reason), /is already in use; stop the program/);
      }
      const client = net.connect(file);
      await once(client, 'connect');
      client.destroy();
      for (const listener of opened.splice(0)) listener.close();
      assert.equal(fs.existsSync(file), false);
    }
  });

  it('does not replace one with a listener', async () => {
    const file = newFile();
    await accepting(file);
    const { ino } = fs.lstatSync(file);
    assert.match(
      await failure(accepting(file)),
      /is already in use; stop the program .* \(ss -xlp/,
    );
    assert.equal(fs.lstatSync(file).ino, ino);
    assertFiles(file);
  });

  for (const kind of ['file', 'directory', 'link'] as const) {
    it(`does not replace a ${kind}`, async () => {
      const file = newFile();
      if (kind === 'file') fs.writeFileSync(file, 'precious');
      else if (kind === 'directory') fs.mkdirSync(file);
      else fs.symlinkSync('/nowhere', file);
      const before = fs.lstatSync(file).ino;
      assert.match(
        await failure(accepting(file)),
        /exists and is not a socket, so it was not replaced/,
      );
      assert.equal(fs.lstatSync(file).ino, before);
    });
  }

  it('is not removed at the end if another has replaced it', async () => {
    const file = newFile();
    const first = await accepting(file);
    fs.unlinkSync(file);
    const second = await accepting(file);
    first.close();
    const client = net.connect(file);
    await once(client, 'connect');
    client.destroy();
    second.close();
    assert.equal(fs.existsSync(file), false);
  });

  it('may be missing at the end', async () => {
    const file = newFile();
    const listener = await accepting(file);
    fs.unlinkSync(file);
    listener.close();
  });

  it('needs an existing directory', async () => {
    const missing = path.join(folder, 'missing');
    const expected = /the directory .* does not exist or cannot be entered; create it/;
    assert.match(await failure(accepting(path.join(missing, 'a.sock'))), expected);
    const file = newFile();
    fs.writeFileSync(file, '');
    assert.match(await failure(accepting(path.join(file, 'a.sock'))), expected);
  });
});

describe("the lock of a socket file's address", () => {
  it('has one owner, by any path to the folder, and others wait at most the given time', async () => {
    const file = newFile();
    const link = path.join(folder, 'link');
    fs.symlinkSync(folder, link);
    const other = path.join(link, path.basename(file));
    await withAddressLock(file, async () => {
      const late = withAddressLock(other, () => Promise.resolve(), 20);
      await assert.rejects(late, {
        name: 'ListenError',
        message: /another program is opening \S+sock and has not finished in 0\.02 s \(ss/,
      });
    });
    fs.unlinkSync(link);
    assert.equal(await withAddressLock(other.replace('/link', ''), () => Promise.resolve(1)), 1);
  });

  it('does not take a younger file with the same inode, and accepts a removed one', () => {
    const file = newFile();
    fs.writeFileSync(file, '');
    const { dev, ino, birthtimeNs } = fs.lstatSync(file, { bigint: true });
    assert.equal(removeIfSame(file, { dev, ino, birthtimeNs: birthtimeNs - 1n }), false);
    assert.equal(fs.existsSync(file), true);
    for (const again of [1, 2]) {
      assert.equal(removeIfSame(file, { dev, ino, birthtimeNs }), true, String(again));
    }
    assert.equal(fs.existsSync(file), false);
  });
});

describe('listeners', () => {
  const config = { host: '127.0.0.1', port: 0, socketMode: 0o660, listen: [] };

  it('has one address for --host and --port', async () => {
    const listeners = await keep(openListeners(config, ignore));
    assert.deepEqual(listeners.addresses, [`http://127.0.0.1:${listeners.tcp?.port}`]);
    listeners.close();
  });

  it('are named in the given order, and the first with a port is the main one', async () => {
    const file = newFile();
    const { host } = config;
    const listen = [{ path: file }, { host, port: 0 }, { host, port: 0 }];
    const listeners = await keep(openListeners({ ...config, listen }, ignore));
    assert.equal(listeners.addresses.length, 3);
    assert.equal(listeners.addresses[0], `unix:${file}`);
    assert.equal(listeners.addresses[1], listeners.tcp?.address);
    assert.notEqual(listeners.addresses[1], listeners.addresses[2]);
    listeners.close();
    assert.equal(fs.existsSync(file), false);
  });

  it('are not open if one cannot be opened, and all faults are reported at once', async () => {
    const taken = await keep(openListeners(config, ignore));
    const [file, foreign] = [newFile(), newFile()];
    fs.writeFileSync(foreign, '');
    const port = taken.tcp?.port ?? 0;
    const listen = [{ path: file }, { host: config.host, port }, { path: foreign }];
    const message = await failure(openListeners({ ...config, listen }, ignore));
    assert.match(message, /^port \d+ on 127\.0\.0\.1 is already in use.*\n.* is not a socket/);
    assert.equal(fs.existsSync(file), false);
    taken.close();
  });

  /** A port that is free now. */
  const freePort = async (): Promise<number> => {
    const { tcp, close } = await openListeners(config, ignore);
    close();
    return tcp?.port ?? 0;
  };

  it('on all IPv6 addresses leave IPv4 to another one with the same port, in any order', async () => {
    const port = await freePort();
    const places = ['0.0.0.0', '0:0::0'].map((host) => ({ host, port }));
    for (const listen of [places, places.reverse()]) {
      const listeners = await openListeners({ ...config, listen }, ignore);
      for (const host of ['127.0.0.1', '::1']) {
        const client = net.connect({ host, port });
        await once(client, 'connect');
        client.destroy();
      }
      listeners.close();
    }
  });

  it('with conflicting addresses are reported as such, and no other process is blamed', async () => {
    const port = await freePort();
    const [file, link] = [newFile(), path.join(folder, 'a.link')];
    fs.symlinkSync(folder, link);
    const linked = path.join(link, path.basename(file));
    const listen = [
      ...[
        { host: 'localhost', port },
        { host: '127.0.0.1', port },
        { host: '::1', port },
      ],
      ...[{ path: file }, { path: linked }],
    ];
    const message = await failure(openListeners({ ...config, listen }, ignore));
    fs.unlinkSync(link);
    const same = /^(\S+) is the same address as (\S+), which is also given; remove one of them$/;
    const reported = message.split('\n').map((line) => same.exec(line)?.slice(1).sort().join(' '));
    const { address } = await lookup('localhost');
    const own = net.isIPv6(address) ? `[::1]:${port}` : `127.0.0.1:${port}`;
    const sockets = [`unix:${file}`, `unix:${linked}`].sort().join(' ');
    assert.deepEqual(reported, [`${own} localhost:${port}`, sockets], message);
  });
});
