/** The lifecycle of the program with an engine that prints, hangs, crashes, or does not start. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../../helpers/engine/injecting.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { fetchChecked } from '../../helpers/openapi/openapi.ts';
import {
  type GatewayProcess,
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const gateways: GatewayProcess[] = [];
const injections: Injection[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
  for (const injection of injections.splice(0)) injection.dispose();
});

interface Injected {
  readonly injection: Injection;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function inject(rules: readonly Rule[], flags: readonly string[] = []): Promise<Injected> {
  const injection = createInjection(rules);
  injections.push(injection);
  return { injection, args: ['--engine', await injectingLibrary(), ...flags], env: injection.env };
}

async function start(injected: Injected): Promise<ReadyGateway> {
  const gateway = await startGateway(injected);
  gateways.push(gateway);
  return gateway;
}

const put = (gateway: ReadyGateway, key: string) => clientOf(() => gateway).put(key, 'hello');

const calls = (gateway: ReadyGateway) =>
  fetchChecked(`${gateway.url}/metrics`)
    .then((response) => response.text())
    .then((text) =>
      Number(/^memcache_gateway_engine_calls\{state="in_flight"\} (\d+)$/m.exec(text)?.[1]),
    );

/** The last lines of the log take a while to reach the disk, as on a disk with other writers. */
const slowDisk = `--import=data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  const { fsync } = fs;
  fs.fsync = (fd, done) => setTimeout(fsync, 200, fd, done);
`)}`;

describe('an engine that prints', () => {
  const noise: readonly Rule[] = [{ on: '*', noise: 200, noiseText: 'ERROR copy failed' }];

  it('neither reaches stdout nor delays requests', async () => {
    const gateway = await start(await inject(noise));
    for (let i = 0; i < 50; i += 1) assert.equal(await put(gateway, `k${i}`), 'created');
    assert.equal((await gateway.stop()).code, 0);
    for (const line of gateway.stdout().split('\n').filter(Boolean)) assert.match(line, /^\{.*\}$/);
    assert.doesNotMatch(gateway.stdout(), /copy failed/);
    assert.equal(gateway.stderr(), '');
  });

  it('is logged at debug, a few lines at a time', async () => {
    const gateway = await start(await inject(noise, ['--log-level', 'debug']));
    for (let i = 0; i < 20; i += 1) assert.equal(await put(gateway, `k${i}`), 'created');
    await gateway.stop();
    const heard = gateway.logged().filter((line) => String(line['msg']).includes('copy failed'));
    assert(heard.length > 0 && heard.length < 50, `${heard.length} lines`);
    assert(heard.every((line) => line['level'] === 'debug' && line['stream'] === 'stdout'));
  });
});

describe('an engine that crashes', () => {
  it('ends its worker, and the next worker serves', async () => {
    const injected = await inject([]);
    const gateway = await start(injected);
    const first = gateway.workerPid();
    await injected.injection.set([{ on: 'put', crash: true, prefix: 'bad' }]);
    await assert.rejects(put(gateway, 'bad'));
    await until(async () => (await put(gateway, 'good').catch(() => undefined)) === 'created');
    assert.notEqual(gateway.workerPid(), first);
    const death = gateway.logged().find((line) => line['signal'] === 'SIGSEGV');
    assert.equal(death?.['worker'], first);
    assert.equal(gateway.stderr(), '');
  });
});

describe('an engine that does not start', () => {
  it('is started again and again, while the gateway runs and responds with 503', async () => {
    const injected = await inject([{ on: 'init', code: -1 }]);
    const gateway = spawnGateway({ ...injected, args: [...injected.args, '--log-level', 'debug'] });
    gateways.push(gateway);
    await until(() => gateway.logged().some((line) => 'backoffMs' in line), { deadlineMs: 30_000 });
    const port = gateway.logged().find((line) => 'port' in line)?.['port'];
    const url = `http://127.0.0.1:${String(port)}`;
    assert.equal((await fetchChecked(`${url}/readyz`)).status, 503);
    assert.equal((await fetchChecked(`${url}/livez`)).status, 200);
    await injected.injection.clear();
    await until(async () => (await fetchChecked(`${url}/readyz`)).status === 200, {
      deadlineMs: 30_000,
    });
    assert.equal((await gateway.stop()).code, 0);
  });
});

describe('an engine whose start hangs', () => {
  it('is abandoned with advice in the log, and started again in a new worker', async () => {
    const injected = await inject([{ on: 'init', hang: true }], ['--init-deadline-ms', '300']);
    const gateway = spawnGateway(injected);
    gateways.push(gateway);
    const givenUp = () =>
      gateway.logged().find((line) => /mmc_init within/.test(String(line['msg'])));
    await until(() => givenUp() !== undefined);
    assert.match(String(givenUp()?.['msg']), /Check that the meta service/);
    await injected.injection.clear();
    await until(() => gateway.logged().some((line) => line['msg'] === 'ready'), {
      deadlineMs: 30_000,
    });
    assert.notEqual(gateway.workerPid(), givenUp()?.['worker']);
    assert.equal((await gateway.stop()).code, 0);
  });
});

describe('a stop while the engine does not start', () => {
  it('exits with 0 and prints nothing during an attempt that fails', async () => {
    const { injection, args, env } = await inject([
      { on: 'init', code: -3000, delayOutsideUs: 300_000 },
    ]);
    const gateway = spawnGateway({ args, env });
    gateways.push(gateway);
    await until(() => injection.counters('init').started > injection.counters('init').returned);
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.equal(gateway.stderr(), '');
  });

  it('exits with 0 after --drain-ms during an attempt that hangs', async () => {
    const { injection, args, env } = await inject(
      [{ on: 'init', hang: true }],
      ['--drain-ms', '100'],
    );
    const gateway = spawnGateway({ args, env });
    gateways.push(gateway);
    await until(() => injection.counters('init').started > 0);
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.equal(gateway.stderr(), '');
  });

  it('exits with 0 though clients still get responses while the log closes', async () => {
    const { args, env } = await inject([{ on: 'init', code: -3000 }], ['--log-level', 'debug']);
    const gateway = spawnGateway({ args, env: { ...env, NODE_OPTIONS: slowDisk } });
    gateways.push(gateway);
    // The signal arrives between two attempts, which are far apart by then.
    const failures = () => gateway.logged().filter((line) => 'backoffMs' in line);
    await until(() => failures().length >= 4, { deadlineMs: 30_000 });
    const port = Number(gateway.logged().find((line) => 'port' in line)?.['port']);
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(port)));
    gateway.signal('SIGTERM');
    await until(() => gateway.logged().some(({ msg }) => String(msg).startsWith('stopping')));
    for (const { send, next } of clients) {
      send(requestHead('GET', '/readyz'));
      // The last requests may be too late for a response.
      await next({ path: '/readyz' }).catch(() => undefined);
    }
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.equal(gateway.stderr(), '');
    for (const client of clients) client.destroy();
  });
});

describe('an engine at the end', () => {
  it('is uninitialised when it would otherwise abort at exit', async () => {
    const { injection, ...injected } = await inject([{ on: 'init', abortAtExit: true }]);
    const gateway = await start({ injection, ...injected });
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    assert.equal(injection.counters('uninit').returned, 1);
    assert.equal(gateway.stderr(), '');
  });

  it('does not delay the exit when a call hangs, and stderr counts the call', async () => {
    const injected = await inject([], ['--drain-ms', '200', '--deadline-ms', '60000']);
    const gateway = await start(injected);
    await injected.injection.set([{ on: ['put', 'batch_put'], hang: true }]);
    const answer = put(gateway, 'a');
    answer.catch(() => {});
    await until(async () => (await calls(gateway)) >= 1);
    const worker = gateway.workerPid();
    assert.equal((await gateway.stop()).code, 1);
    assert.match(gateway.stderr(), /requests in flight: 1, engine calls: 1/);
    assert.equal(isAlive(worker ?? 0), false);
  });

  it('does not delay the exit when a late call hangs, and stderr counts the call', async () => {
    const injected = await inject([], ['--deadline-ms', '1000']);
    const gateway = await start(injected);
    await injected.injection.set([{ on: ['put', 'batch_put'], hang: true }]);
    await assert.rejects(put(gateway, 'a'), /engine-timeout/);
    const worker = gateway.workerPid();
    assert.equal((await gateway.stop()).code, 1);
    assert.match(gateway.stderr(), /was waiting for engine calls that hang: 1/);
    assert.equal(isAlive(worker ?? 0), false);
  });

  it('does not keep a worker running whose supervisor was killed, even when calls hang', async () => {
    const injected = await inject([], ['--drain-ms', '100']);
    const gateway = await start(injected);
    await injected.injection.set([{ on: ['put', 'batch_put', 'uninit'], hang: true }]);
    let pending = false;
    await until(async () => {
      // On a busy machine a request may get 503 before it reaches the engine.
      if (!pending) {
        pending = true;
        put(gateway, 'a').catch(() => {
          pending = false;
        });
      }
      return (await calls(gateway)) >= 1;
    });
    const worker = gateway.workerPid() ?? assert.fail('no worker');
    const pool = poolOf(worker);
    gateway.signal('SIGKILL');
    await until(() => !isAlive(worker), { deadlineMs: 20_000 });
    assert.equal(poolExists(pool), false);
  });
});
