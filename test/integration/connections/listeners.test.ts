import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import {
  type GatewayProcess,
  isAlive,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const run = promisify(execFile);
const started: GatewayProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.kill();
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

function newFile(): string {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'gateway-'));
  folders.push(folder);
  return path.join(folder, 'gateway.sock');
}

const listening = (places: readonly string[]) => places.flatMap((place) => ['--listen', place]);

async function start(places: readonly string[], ...args: string[]): Promise<ReadyGateway> {
  const gateway = await startGateway({ args: [...listening(places), ...args] });
  started.push(gateway);
  return gateway;
}

/** Starts a gateway that must fail, and returns its exit code and its stderr. */
async function failedStart(...args: string[]): Promise<string> {
  const gateway = spawnGateway({ args });
  started.push(gateway);
  const ending = await gateway.ended;
  assert.equal(gateway.stdout(), '');
  assert.match(gateway.stderr(), /^memcache-gateway: /);
  return `${ending.code} ${gateway.stderr()}`;
}

const statusOf = async (origin: string): Promise<number> =>
  (await requestChecked(origin, { path: '/readyz' })).status;

describe('listeners', () => {
  it('serve the same pool, and the ready line names all of them', async () => {
    const file = newFile();
    const unix = `unix:${file}`;
    const gateway = await start([unix, '127.0.0.1:0', '[::1]:0']);
    const { address, addresses, docs, host, port } = gateway.ready;
    assert(Array.isArray(addresses));
    const [first, second, third] = addresses.map(String);
    assert.equal(first, unix);
    assert.equal(second, `http://127.0.0.1:${gateway.port}`);
    assert.match(third ?? '', /^http:\/\/\[::1\]:\d+$/);
    assert.deepEqual(
      [address, docs, host, port],
      [second, `${second}/docs`, '127.0.0.1', gateway.port],
    );
    for (const to of [first, second, third]) {
      const key = `/v1/objects/${to?.length}`;
      const put = await requestChecked(to ?? '', { method: 'PUT', path: key, body: 'hello' });
      assert.equal(put.status, 201);
      assert.equal(put.headers['location'], key);
      for (const source of addresses.map(String)) {
        const got = await requestChecked(source, { path: key });
        assert.equal(got.body.toString(), 'hello', `${to}, ${source}`);
      }
    }
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    assert.equal(fs.existsSync(file), false);
  });

  it('may be socket files only, which curl can use', async () => {
    const file = newFile();
    const args = [...listening([`unix:${file}`]), '--socket-mode', '0600'];
    const gateway = spawnGateway({ args });
    started.push(gateway);
    const ready = () => gateway.logged().find(({ msg }) => msg === 'ready');
    await until(() => ready() !== undefined, { deadlineMs: 30_000 });
    assert.equal(ready()?.['address'], `unix:${file}`);
    assert.deepEqual(ready()?.['addresses'], [`unix:${file}`]);
    for (const absent of ['docs', 'host', 'port']) assert(!(absent in (ready() ?? {})), absent);
    assert.equal(fs.lstatSync(file).mode & 0o777, 0o600);
    const curl = async (...words: string[]) =>
      (await run('curl', ['-sS', '--unix-socket', file, ...words])).stdout;
    await curl(
      '--json',
      '{"items":[{"key":"a","value":"aGVsbG8="}]}',
      'http://localhost/v1/batch/put',
    );
    assert.equal(await curl('http://localhost/v1/objects/a'), 'hello');
    // A socket file does not make every Host trusted.
    const status = ['-o', '/dev/null', '-w', '%{http_code}', 'http://gateway.example/livez'];
    assert.equal(await curl(...status), '403');
  });

  it('are named in the pretty format, too', async () => {
    const file = newFile();
    const args = [...listening(['127.0.0.1:0', `unix:${file}`]), '--log-format', 'pretty'];
    const gateway = spawnGateway({ args });
    started.push(gateway);
    await until(() => gateway.stdout().includes(' is ready at '), { deadlineMs: 30_000 });
    const [, url, shown, docs] =
      /is ready at (\S+), (\S+) \(try (\S+)\)/.exec(gateway.stdout()) ?? [];
    assert.equal(shown, `unix:${file}`);
    assert.equal(docs, `${url}/docs`);
  });

  it('that cannot all be opened prevent the start, and every reason is printed', async () => {
    const [file, foreign] = [newFile(), newFile()];
    fs.writeFileSync(foreign, 'precious');
    const taken = await start(['127.0.0.1:0', `unix:${file}`]);
    const [port, free] = [`127.0.0.1:${taken.port}`, newFile()];
    const places = [port, `unix:${file}`, `unix:${foreign}`, `unix:${free}`];
    const failure = await failedStart(...listening(places));
    assert.match(failure, /^1 memcache-gateway: port \d+ on 127\.0\.0\.1 is already in use/);
    assert.match(failure, /\n.*gateway\.sock is already in use; stop the program/);
    assert.match(failure, /\n.*gateway\.sock exists and is not a socket, so it was not replaced/);
    assert.equal(fs.readFileSync(foreign, 'utf8'), 'precious');
    assert.equal(fs.existsSync(free), false);
    assert.equal(await statusOf(`unix:${file}`), 200);
  });

  it('are a fault of the configuration when they conflict or are open to other machines', async () => {
    const failure = await failedStart(...listening(['127.0.0.1:1', '0.0.0.0:2']), '--port', '3');
    assert.match(failure, /^2 memcache-gateway: 2 faults in the configuration/);
    assert.match(failure, /--listen: 0\.0\.0\.0:2 can be reached from other machines/);
    assert.match(failure, /--listen: given together with --port/);
  });
});

describe('a socket file', () => {
  it('of a killed gateway is reused, with its default mode', async () => {
    const file = newFile();
    const places = ['127.0.0.1:0', `unix:${file}`];
    const first = await start(places);
    assert.equal(fs.lstatSync(file).mode & 0o777, 0o660);
    await first.kill();
    assert(fs.lstatSync(file).isSocket());
    const second = await start(places);
    assert.equal(await statusOf(`unix:${file}`), 200);
    await second.stop();
    assert.deepEqual(fs.readdirSync(path.dirname(file)), []);
  });

  it('is not removed at the stop when another program has replaced it', async () => {
    const file = newFile();
    const gateway = await start(['127.0.0.1:0', `unix:${file}`]);
    fs.unlinkSync(file);
    const other = net.createServer().listen(file);
    await once(other, 'listening');
    await gateway.stop();
    assert(fs.lstatSync(file).isSocket());
    other.close();
  });

  it('still serves after its worker dies', async () => {
    const file = newFile();
    const gateway = await start(['127.0.0.1:0', `unix:${file}`]);
    const worker = gateway.workerPid() ?? 0;
    process.kill(worker, 'SIGKILL');
    await until(() => !isAlive(worker));
    await until(async () => (await statusOf(`unix:${file}`)) === 200);
  });
});
