import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { type Config, interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import type { LogLevel, PoolLog } from '../../../src/log/waiting-log.ts';
import type { ClientReport } from '../../../src/messages/report.ts';
import { Supervisor } from '../../../src/supervisor/supervisor.ts';
import type { SupervisorOptions } from '../../../src/supervisor/supervisor-options.ts';
import type { Misbehaviour } from '../../fixtures/pool-worker.ts';
import { isAlive } from '../../helpers/process/gateway.ts';
import { testProgram } from '../../helpers/process/programs.ts';
import { until } from '../../helpers/process/until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'pool-'));
after(() => rmSync(folder, { recursive: true }));
const program = testProgram('pool-worker.ts');

interface Line {
  readonly level: LogLevel;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

interface Pool {
  readonly supervisor: Supervisor;
  readonly exitCode: Promise<number>;
  readonly seen: Seen;
  readonly url: () => string;
}

/** The records of a supervisor's callbacks. */
interface Seen {
  readonly lines: Line[];
  readonly complaints: string[];
  ready: number;
}

type Times = Pick<SupervisorOptions, 'acceptMs' | 'maxWaitMs'>;

/** For tests that stop a worker and want it waited for. */
const patient: Times = { acceptMs: 60_000, maxWaitMs: 60_000 };

const pools: Pool[] = [];
afterEach(async () => {
  for (const { supervisor, exitCode } of pools.splice(0)) {
    if (!supervisor.stopping) supervisor.stop('the test is over');
    supervisor.kill('the test is over');
    await exitCode;
  }
});

/** A supervisor in this process, with workers that are real processes. */
async function startPool(
  misbehaviour: Misbehaviour | Misbehaviour[] = {},
  flags: string[] = [],
  times: Times = {},
): Promise<Pool> {
  const each = Array.isArray(misbehaviour) ? misbehaviour : [misbehaviour];
  const seen: Seen = { lines: [], complaints: [], ready: 0 };
  const config = configOf(['--port', '0', ...flags]);
  const supervisor = createSupervisor(config, each, seen, times);
  await supervisor.start();
  const url = () => `http://127.0.0.1:${supervisor.listener?.port}`;
  const pool = { supervisor, exitCode: supervisor.finished, seen, url };
  pools.push(pool);
  return pool;
}

function createSupervisor(
  config: Config,
  each: Misbehaviour[],
  seen: Seen,
  times: Times = {},
): Supervisor {
  const writer = (level: LogLevel) => (fields: object, message: string) =>
    void seen.lines.push({ level, fields: fields as Line['fields'], message });
  const log = Object.fromEntries(
    (['debug', 'info', 'warn', 'error', 'fatal'] as const).map((level) => [level, writer(level)]),
  ) as PoolLog;
  return new Supervisor({
    config,
    runtime: { layout: config.layout, logLevel: config.logLevel, tokens: null, tls: null },
    devices: each.map((_, device) => device),
    program,
    env: (device) => ({ ...process.env, POOL_WORKER: JSON.stringify(each[device]) }),
    log,
    onReady: () => {
      seen.ready += 1;
    },
    complain: (message) => void seen.complaints.push(message),
    setLogLevel: () => Promise.resolve({ pendingDevices: [] }),
    readTotals: () => Promise.reject(new Error('no test waits for a sample')),
    ...times,
    renderMetrics: (
      { live, silent, ended },
      { workers, fallbackResponses, waitingConnections },
    ) => {
      const own = workers.map(({ device, handedOver, restarts, serving, state }) => {
        return { device, handedOver, restarts, serving, state };
      });
      return Promise.resolve({
        contentType: 'application/json',
        ended: ended.flat(),
        body: JSON.stringify({
          workers: live,
          silent,
          ended,
          own,
          waitingConnections,
          fallbackResponses: [...fallbackResponses],
        }),
      });
    },
  });
}

async function startReadyPool(...parameters: Parameters<typeof startPool>): Promise<Pool> {
  const pool = await startPool(...parameters);
  await untilServing(pool).catch((error: unknown) =>
    assert.fail(`${String(error)} ${JSON.stringify(pool.seen.lines)}`),
  );
  return pool;
}

/**
 * Waits until a worker serves, after `first` if given. The supervisor's report shows when to send a
 * request: a request for each check would take most of the test's processor time.
 */
async function untilServing(pool: Pool, first?: number): Promise<void> {
  const serves = ({ pid, state }: ClientReport) =>
    pid !== first && (state === 'ready' || state === 'degraded');
  await until(() => pool.supervisor.report().clients.some(serves), { deadlineMs: 20_000 });
  await until(async () => (await ask(pool, '/pid')).status === 200, { deadlineMs: 20_000 });
}

/** A pool whose worker is stopped, with connections that wait for it. */
async function startWaited(clients: number) {
  const pool = await startReadyPool({}, [], patient);
  const pid = await pidOf(pool);
  process.kill(pid, 'SIGSTOP');
  const answers = Array.from({ length: clients }, () => ask(pool, '/pid'));
  // One is being handed to the worker.
  await until(async () => (await waitingIn(pool)) === clients - 1);
  return { pool, pid, answers };
}

/** Connections that its workers have accepted. */
async function handedOver({ supervisor }: Pool): Promise<number> {
  const { own } = JSON.parse((await supervisor.metricsText()).body) as {
    own: { handedOver: number }[];
  };
  return own.reduce((sum, worker) => sum + worker.handedOver, 0);
}

/** Whether its port is open. */
function accepts(pool: Pool): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(pool.supervisor.listener?.port ?? 0, '127.0.0.1');
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

async function waitingIn({ supervisor }: Pool): Promise<number> {
  const { body } = await supervisor.metricsText();
  return (JSON.parse(body) as { waitingConnections: number }).waitingConnections;
}

/** The process that responds; never 0, which process.kill would treat as the own group. */
async function pidOf(pool: Pool): Promise<number> {
  const { body } = await ask(pool, '/pid');
  assert.match(body, /^\d+$/);
  return Number(body);
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** A request on a new connection. */
function ask(
  pool: Pool,
  target: string,
  options: http.RequestOptions = {},
  body?: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      `${pool.url()}${target}`,
      { agent: false, ...options },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

describe('a supervisor', () => {
  it('responds itself until a worker is ready, and then passes connections on', async () => {
    const gate = path.join(folder, 'open');
    const pool = await startPool({ openWhen: gate });
    const live = await ask(pool, '/livez');
    assert.equal(live.status, 200);
    assert.deepEqual(JSON.parse(live.body), { status: 'live' });
    const refused = await ask(pool, '/v1/objects/a', { method: 'PUT' }, Buffer.alloc(3_000_000));
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['content-type'], 'application/problem+json');
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal((JSON.parse(refused.body) as { type: string }).type, '/problems/not-ready');
    assert.equal((await ask(pool, '/readyz')).status, 503);
    const metrics = await ask(pool, '/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /"state":"starting"/);
    assert.match(metrics.body, /"fallbackResponses":\[\[200,1\],\[503,2\]\]/);
    const line = pool.seen.lines.find(({ message }) => message === 'no worker for a request');
    assert.equal(line?.level, 'warn');
    assert.deepEqual([line.fields['method'], line.fields['problem']], ['PUT', 'not-ready']);
    assert.equal(line.fields['requestId'], refused.headers['x-request-id']);
    writeFileSync(gate, '');
    await until(async () => (await ask(pool, '/pid')).status === 200);
    assert.equal(pool.seen.ready, 1);
    const echoed = await ask(pool, '/echo', { method: 'PUT' }, Buffer.alloc(3_000_000));
    assert.equal(echoed.body, 'PUT 3000000');
  });

  it('keeps the port open when its worker is killed, returns 503, and starts another', async () => {
    const pool = await startReadyPool();
    const first = await pidOf(pool);
    process.kill(first, 'SIGKILL');
    await until(async () => (await ask(pool, '/pid')).status === 503);
    await until(async () => (await ask(pool, '/pid')).status === 200);
    assert.notEqual(await pidOf(pool), first);
    const death = pool.seen.lines.find((line) => line.message === 'worker was ended by SIGKILL');
    assert.equal(death?.level, 'error');
    assert.equal(death.fields['worker'], first);
    assert.match((await ask(pool, '/metrics')).body, /"restarts":1/);
  });

  it('distributes connections over the workers, and skips one that is not ready', async () => {
    const gate = path.join(folder, 'second');
    const pool = await startReadyPool([{}, { openWhen: gate }]);
    const pids = new Set<string>();
    for (let i = 0; i < 4; i += 1) pids.add((await ask(pool, '/pid')).body);
    assert.equal(pids.size, 1);
    writeFileSync(gate, '');
    await until(async () => pids.add((await ask(pool, '/pid')).body).size === 2);
    const served = [];
    for (let i = 0; i < 6; i += 1) served.push((await ask(pool, '/pid')).body);
    assert.notEqual(served[0], served[1]);
    assert.deepEqual(served.slice(2), served.slice(0, -2));
  });

  it('is ready when all workers are, if configured so, and serves before', async () => {
    const gate = path.join(folder, 'all');
    const pool = await startReadyPool([{}, { openWhen: gate }], ['--ready-when', 'all']);
    const { ready, detail, clients } = pool.supervisor.report();
    assert.equal(ready, false);
    assert.match(detail, /^1 of 2 workers is ready, and all have to be/);
    assert.deepEqual(
      clients.map(({ device, serviceId, state }) => [device, serviceId, state]),
      [
        [0, 7, 'ready'],
        [1, null, 'starting'],
      ],
    );
    assert.equal(pool.seen.ready, 0);
    writeFileSync(gate, '');
    await until(() => pool.seen.ready === 1);
    assert.equal(pool.supervisor.report().ready, true);
    const reported = () =>
      pool.seen.lines.flatMap(({ fields, message }) =>
        message.startsWith('worker is ready') ? [`${message} ${String(fields['device'])}`] : [],
      );
    assert.deepEqual(reported(), ['worker is ready 0']);
    process.kill(await pidOf(pool), 'SIGKILL');
    await until(() => reported().length === 2);
    assert.match(reported()[1] ?? '', /^worker is ready again [01]$/);
    assert.equal(pool.seen.ready, 1);
  });

  it('continues with one device if another can never start', async () => {
    const failure = { message: 'no such device', permanent: true };
    const pool = await startReadyPool([{ failure }, {}]);
    const reported = () => pool.seen.lines.find(({ level }) => level === 'fatal');
    await until(() => reported() !== undefined);
    assert.equal(reported()?.fields['device'], 0);
    assert.equal((await ask(pool, '/pid')).status, 200);
    assert.deepEqual(pool.seen.complaints, []);
  });

  it('names the device that can never start, if all have to be ready', async () => {
    const failure = { message: 'no such device', permanent: true };
    const pool = await startPool([{}, { failure }], ['--ready-when', 'all']);
    assert.equal(await pool.exitCode, 1);
    assert.match(pool.seen.complaints.join(), /^device 1: Error: no such device/);
  });

  it('lets requests in flight finish at shutdown, and exits with 0', async () => {
    const pool = await startReadyPool();
    const pid = await pidOf(pool);
    const answer = ask(pool, '/until-drain');
    await until(async () => (await ask(pool, '/metrics')).body.includes('"handedOver":'));
    pool.supervisor.stop('a test');
    assert.equal((await answer).body, 'drained');
    assert.equal(await pool.exitCode, 0);
    assert.deepEqual(pool.seen.complaints, []);
    assert.equal(isAlive(pid), false);
    await assert.rejects(ask(pool, '/livez'), { code: 'ECONNREFUSED' });
  });

  it('cuts off requests that do not finish in time, reports them, and exits with 1', async () => {
    const pool = await startReadyPool({}, ['--drain-ms', '50']);
    const answer = ask(pool, '/forever');
    answer.catch(() => {});
    await until(async () => (await ask(pool, '/metrics')).body.includes('"state":"ready"'));
    pool.supervisor.stop('a test');
    await assert.rejects(answer);
    assert.equal(await pool.exitCode, 1);
    assert.match(
      pool.seen.complaints.join(),
      /cut off: the worker of device 0 .* \(requests in flight: 1, /,
    );
  });

  it('exits with 0 if a worker that was never ready dies during shutdown', async () => {
    const pool = await startPool({ openWhen: path.join(folder, 'never') });
    pool.supervisor.stop('a test');
    const pid = /pid (\d+)/.exec(pool.supervisor.describe())?.[1];
    process.kill(Number(pid ?? assert.fail()), 'SIGKILL');
    assert.equal(await pool.exitCode, 0);
    assert.deepEqual(pool.seen.complaints, []);
  });

  it('kills a worker that hangs at its end, and names it', async () => {
    const pool = await startReadyPool({ closeHangs: true });
    const pid = await pidOf(pool);
    pool.supervisor.stop('a test');
    await until(() => pool.supervisor.describe().includes('uninitialising'));
    assert.equal(isAlive(pid), true);
    pool.supervisor.kill('a second signal');
    assert.equal(await pool.exitCode, 1);
    assert.match(
      pool.seen.complaints.join(),
      /\(a second signal\): the worker of device 0 .* was uninitialising its engine/,
    );
    assert.equal(isAlive(pid), false);
  });

  it('exits with 1 and the advice if the first start fails permanently', async () => {
    const pool = await startPool({ failure: { message: 'no such library', permanent: true } });
    assert.equal(await pool.exitCode, 1);
    assert.match(pool.seen.complaints.join(), /no such library/);
  });

  it('retries at growing intervals if a failure may be temporary', async () => {
    const pool = await startPool({ failure: { message: 'meta service away', permanent: false } });
    const waits = () =>
      pool.seen.lines.flatMap(({ fields }) =>
        'backoffMs' in fields ? [Number(fields['backoffMs'])] : [],
      );
    await until(() => waits().length >= 3, { deadlineMs: 20_000 });
    assert.equal((await ask(pool, '/readyz')).status, 503);
    const [first = 0, , third = 0] = waits();
    assert(first >= 50 && first <= 100, `first wait ${first}`);
    assert(third >= 200 && third <= 400, `third wait ${third}`);
    assert.deepEqual(pool.seen.complaints, []);
  });

  it('is not blocked by the output of an engine, and shows little of it', async () => {
    const pool = await startReadyPool({ noiseLines: 2_000 }, ['--log-level', 'debug']);
    const shown = pool.seen.lines.filter((line) => line.message.startsWith('ERROR copy of block'));
    assert.equal(shown.length, 1);
    assert.equal(shown[0]?.level, 'debug');
    assert.equal(shown[0].fields['stream'], 'stdout');
  });

  it('shows the output of an engine after the level has changed to debug', async () => {
    const pool = await startReadyPool({ noiseLines: 10 });
    assert.equal(
      pool.seen.lines.some(({ message }) => message.startsWith('ERROR copy')),
      false,
    );
    const { pendingDevices } = await pool.supervisor.reconfigure({
      ...{ layout: [], logLevel: 'debug', tokens: null, tls: null },
    });
    assert.deepEqual(pendingDevices, []);
    const shown = () => pool.seen.lines.find(({ message }) => message === 'the level is debug');
    await until(() => shown() !== undefined);
    assert.equal(shown()?.level, 'debug');
  });

  it('logs warnings of the embedded engine and of Node, and lines that may contain keys only at debug', async () => {
    const stderr = [
      'memcache-embedded warning: /dev/shm has 64 MiB',
      '(node:7) Warning: beware',
      'ERROR copy of secret-key failed',
    ];
    const levels = async (...flags: string[]) => {
      const pool = await startReadyPool({ stderr: `${stderr.join('\n')}\n` }, flags);
      const levelOf = (text: string) =>
        pool.seen.lines.find(({ message }) => message === text)?.level;
      return stderr.map(levelOf);
    };
    assert.deepEqual(await levels(), ['warn', 'warn', undefined]);
    assert.deepEqual(await levels('--log-level', 'debug'), ['warn', 'warn', 'debug']);
  });

  it('logs the last lines of a dead worker, and those of its engine only at debug', async () => {
    const { stack = '' } = new Error('ours');
    const stderr = `${stack}\nERROR copy of secret-key failed\n`;
    const stderrTail = async (...flags: string[]) => {
      const pool = await startPool({ stderr, exitCode: 3 }, flags);
      const find = () => pool.seen.lines.find(({ message }) => message.endsWith('with code 3'));
      await until(() => find() !== undefined);
      return String(find()?.fields['stderr']);
    };
    const reported = await stderrTail();
    assert.match(reported, /^Error: ours\n {4}at .*supervisor\.test\.ts:/);
    assert.match(reported, /\(lines left out that may name keys, see --log-level debug: \d+\)$/);
    assert.doesNotMatch(reported, /secret/);
    assert.equal(await stderrTail('--log-level', 'debug'), stderr.trim());
  });

  it('queues a burst of connections while a worker is busy', async () => {
    const pool = await startReadyPool({}, [], patient);
    const pid = await pidOf(pool);
    process.kill(pid, 'SIGSTOP');
    const answers = Array.from({ length: 600 }, () => ask(pool, '/pid'));
    await until(async () => (await waitingIn(pool)) > 512);
    process.kill(pid, 'SIGCONT');
    const statuses = new Set((await Promise.all(answers)).map(({ status }) => status));
    assert.deepEqual([...statuses], [200]);
    assert.equal(await waitingIn(pool), 0);
  });

  it('tells those who have waited too long that it is busy', async () => {
    const pool = await startReadyPool({}, [], { ...patient, maxWaitMs: 50 });
    const pid = await pidOf(pool);
    process.kill(pid, 'SIGSTOP');
    const answers = Array.from({ length: 50 }, () => ask(pool, '/pid'));
    const refused = await Promise.any(answers);
    process.kill(pid, 'SIGCONT');
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '1');
    const { detail } = JSON.parse(refused.body) as { detail: string };
    assert.match(detail, /^More clients have connected than /);
    const statuses = new Set((await Promise.all(answers)).map(({ status }) => status));
    assert.deepEqual([...statuses].sort(), [200, 503]);
  });

  it('returns 503 to queued connections if their worker dies', async () => {
    const { pid, answers } = await startWaited(50);
    process.kill(pid, 'SIGKILL');
    for (const { status, body } of await Promise.all(answers)) {
      assert.equal(status, 503);
      assert.match(body, /The gateway is restarting; try again\./);
    }
  });

  it('responds for a stopped worker until it continues', async () => {
    const pool = await startReadyPool({}, [], { acceptMs: 1000 });
    const pid = await pidOf(pool);
    process.kill(pid, 'SIGSTOP');
    // All at the same time: one is being handed to the worker, the others are queued.
    const targets = ['/livez', '/readyz', '/metrics', '/pid'];
    const [live, ready, metrics, other] = await Promise.all(
      targets.map((target) => ask(pool, target)),
    );
    assert.equal(live?.body, '{"status":"live"}\n');
    for (const answer of [ready, other]) {
      assert.equal(answer?.status, 503);
      assert.equal(answer.headers['retry-after'], '2');
      const { detail } = JSON.parse(answer.body) as { detail: string };
      assert.equal(detail, 'The worker of device 0 does not respond; try again.');
    }
    assert.equal(metrics?.status, 200);
    assert.match(metrics.body, /"workers":\[\],.*"serving":false,"state":"ready"/);
    process.kill(pid, 'SIGCONT');
    await until(async () => (await ask(pool, '/pid')).body === String(pid));
    const reported = pool.seen.lines.filter(({ message }) => message.startsWith('worker '));
    assert.deepEqual(
      reported.map(({ fields, level, message }) => [level, message, fields['device']]),
      [
        ['warn', 'worker has not responded for 1 s; it gets no connections until it does', 0],
        ['info', 'worker responds again', 0],
      ],
    );
  });

  it('passes the connections of a stopped worker to another one', async () => {
    const pool = await startReadyPool([{}, {}], [], { acceptMs: 1000 });
    const pids = new Set<number>();
    await until(async () => pids.add(await pidOf(pool)).size === 2);
    const [stopped = 0, other = 0] = pids;
    process.kill(stopped, 'SIGSTOP');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(pool, '/pid')));
    process.kill(stopped, 'SIGCONT');
    assert.deepEqual([...new Set(answers.map(({ body }) => body))], [String(other)]);
    await until(async () => (await pidOf(pool)) === stopped);
  });

  it('ignores invalid messages', async () => {
    const pool = await startReadyPool({ message: { type: 'ready', engine: 5 } });
    assert(pool.seen.lines.some((line) => line.message.includes('dropped')));
  });

  it('sums the metrics of workers, and omits a worker that has never responded', async () => {
    const pool = await startReadyPool([{}, {}, { metricsHang: true }]);
    await until(async () => {
      const { body } = await ask(pool, '/metrics');
      return !body.includes('"state":"starting"');
    });
    const { workers } = JSON.parse((await ask(pool, '/metrics')).body) as { workers: unknown[][] };
    assert.equal(workers.filter((metrics) => metrics.length === 1).length, 2);
  });

  it('serves a client that has ended its side before the response', async () => {
    const pool = await startReadyPool();
    const socket = net.connect({ port: Number(new URL(pool.url()).port), allowHalfOpen: true });
    socket.end('GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    assert.match(text, /^HTTP\/1\.1 200 OK/);
  });

  it('serves queued connections before it shuts down', async () => {
    const { pool, pid, answers } = await startWaited(50);
    pool.supervisor.stop('test');
    await until(async () => !(await accepts(pool)));
    process.kill(pid, 'SIGCONT');
    for (const { status, body } of await Promise.all(answers)) {
      assert.deepEqual([status, body], [200, String(pid)]);
    }
    assert.equal(await pool.exitCode, 0);
  });

  it('lets no worker leave its pool before all have drained, or the time for that is over', async () => {
    const flags = ['--ready-when', 'all', '--drain-ms', '1500', '--log-level', 'debug'];
    const pool = await startReadyPool([{}, {}], flags);
    await until(() => pool.seen.ready > 0);
    const held = ask(pool, '/forever').catch(() => undefined);
    await until(async () => (await handedOver(pool)) > 1);
    const stopped = performance.now();
    pool.supervisor.stop('test');
    const left = () => pool.seen.lines.some(({ message }) => / leaves$/.test(message));
    await until(() => pool.supervisor.describe().includes('uninitialising'));
    await until(left);
    // Long after it had drained: the other one had all of its time.
    assert.ok(performance.now() - stopped >= 1400);
    assert.equal(await pool.exitCode, 1);
    assert.match(pool.seen.complaints.join(), /\(requests in flight: 1, engine calls: 0\)/);
    assert.doesNotMatch(pool.seen.complaints.join(), /uninitialising/);
    await held;
  });

  it('does not signal a worker that gets SIGTERM together with it', async () => {
    const pool = await startReadyPool({}, ['--drain-delay-ms', '1000']);
    const pid = await pidOf(pool);
    process.kill(pid, 'SIGTERM');
    pool.supervisor.stop('SIGTERM');
    const { restarts } = pool.supervisor.report().clients[0] ?? {};
    await until(async () => {
      const { status, body } = await ask(pool, '/pid').catch(() => ({ status: 0, body: '' }));
      if (status !== 0) assert.deepEqual([status, body], [200, String(pid)]);
      return status === 0;
    });
    assert.equal(restarts, 0);
    assert.equal(await pool.exitCode, 0);
  });

  it('skips a stopped worker even without connections for it', async () => {
    const pool = await startReadyPool();
    const pid = await pidOf(pool);
    const state = () => pool.supervisor.report().clients[0]?.state;
    assert.equal(state(), 'ready');
    process.kill(pid, 'SIGSTOP');
    await until(() => state() === 'degraded');
    process.kill(pid, 'SIGCONT');
    await until(() => state() === 'ready');
  });

  it('replaces a worker that was drained from outside', async () => {
    const pool = await startReadyPool();
    const first = await pidOf(pool);
    process.kill(first, 'SIGTERM');
    await untilServing(pool, first);
    assert.notEqual(await pidOf(pool), first);
    const departure = pool.seen.lines.find((line) => line.message === 'worker exited with code 0');
    assert.equal(departure?.level, 'info');
  });

  it('reports that the port is in use, and starts no worker', async () => {
    const pool = await startReadyPool();
    const port = String(pool.supervisor.listener?.port);
    const other = createSupervisor(configOf(['--port', port]), [], {
      lines: [],
      complaints: [],
      ready: 0,
    });
    await assert.rejects(other.start(), {
      name: 'ListenError',
      message: new RegExp(`^port ${port} on 127\\.0\\.0\\.1 is already in use; .* --port$`),
    });
  });
});

describe('a worker that hangs', () => {
  const stateOf = async ({ supervisor }: Pool, device: number): Promise<string | undefined> => {
    const { body } = await supervisor.metricsText();
    const { own } = JSON.parse(body) as { own: { device: number; state: string }[] };
    return own.find((worker) => worker.device === device)?.state;
  };
  const reported = ({ seen }: Pool, start: string) =>
    seen.lines.filter(({ message }) => message.startsWith(start)).map(({ message }) => message);

  it('in its event loop is killed after --heartbeat-ms and replaced', async () => {
    const pool = await startReadyPool({}, ['--heartbeat-ms', '2000']);
    const first = await pidOf(pool);
    ask(pool, '/block').catch(() => {});
    await until(() => !isAlive(first), { deadlineMs: 20_000 });
    await untilServing(pool, first);
    assert.notEqual(await pidOf(pool), first);
    assert.match(
      reported(pool, 'worker is killed').join(),
      /^worker is killed and replaced: it has sent no heartbeat for 2(\.\d)? s$/,
    );
    assert.deepEqual(reported(pool, 'worker was ended'), ['worker was ended by SIGKILL']);
  });

  it('in its engine is skipped while another is ready, and keeps its objects', async () => {
    const stuckWhile = path.join(folder, 'stuck-of-two');
    const pool = await startReadyPool([{ stuckWhile }, {}]);
    const pids = new Set<number>();
    await until(async () => pids.add(await pidOf(pool)).size === 2);
    const held = ask(pool, '/until-drain');
    const heldToo = ask(pool, '/until-drain');
    writeFileSync(stuckWhile, '');
    await until(async () => (await stateOf(pool, 0)) === 'degraded');
    const answers = new Set<number>();
    for (let i = 0; i < 6; i += 1) answers.add(await pidOf(pool));
    assert.equal(answers.size, 1);
    assert.deepEqual([...pids].filter(isAlive), [...pids]);
    rmSync(stuckWhile);
    await until(async () => (await stateOf(pool, 0)) === 'ready');
    await until(async () => answers.add(await pidOf(pool)).size === 2);
    pool.supervisor.stop('a test');
    assert.deepEqual([(await held).body, (await heldToo).body], ['drained', 'drained']);
    assert.equal(await pool.exitCode, 0);
    assert.equal(reported(pool, 'worker is degraded: engine calls hang').length, 1);
    assert.equal(reported(pool, 'worker has recovered: engine calls return').length, 1);
  });

  it('in its engine still responds if no other is ready', async () => {
    const stuckWhile = path.join(folder, 'stuck-alone');
    writeFileSync(stuckWhile, '');
    const pool = await startReadyPool(
      [{ stuckWhile }, { openWhen: path.join(folder, 'never') }],
      ['--drain-ms', '100'],
    );
    await until(async () => (await stateOf(pool, 0)) === 'degraded');
    assert.equal((await ask(pool, '/pid')).status, 200);
    pool.supervisor.stop('a test');
    assert.equal(await pool.exitCode, 0);
  });

  it('in its engine for --degraded-limit-ms is killed and replaced', async () => {
    const stuckWhile = path.join(folder, 'stuck-for-long');
    const pool = await startReadyPool({ stuckWhile }, ['--degraded-limit-ms', '1000']);
    const first = await pidOf(pool);
    writeFileSync(stuckWhile, '');
    await until(() => !isAlive(first), { deadlineMs: 20_000 });
    rmSync(stuckWhile);
    await untilServing(pool, first);
    assert.match(
      reported(pool, 'worker is killed').join(),
      /^worker is killed and replaced: its engine calls have been stuck for 1(\.\d)? s$/,
    );
  });
});

describe('a shutdown with --drain-delay-ms', () => {
  const slow = ['--drain-delay-ms', '60000'];

  it('fails readiness at once, serves until the delay is over, and then shuts down', async () => {
    const pool = await startReadyPool({}, ['--drain-delay-ms', '1500']);
    assert.equal((await ask(pool, '/readyz')).status, 200);
    pool.supervisor.stop('a test');
    await until(async () => (await ask(pool, '/readyz')).status === 503);
    assert.equal((await ask(pool, '/pid')).status, 200);
    assert.equal(await pool.exitCode, 0);
    await assert.rejects(ask(pool, '/livez'), { code: 'ECONNREFUSED' });
  });

  it('starts new workers that are not ready either', async () => {
    const pool = await startReadyPool({}, slow);
    const first = await pidOf(pool);
    pool.supervisor.stop('a test');
    process.kill(first, 'SIGKILL');
    await untilServing(pool, first);
    assert.notEqual(await pidOf(pool), first);
    assert.equal((await ask(pool, '/readyz')).status, 503);
  });

  it('ends at once at a second signal', async () => {
    const pool = await startReadyPool({}, slow);
    const pid = await pidOf(pool);
    pool.supervisor.stop('a test');
    pool.supervisor.kill('a second signal');
    assert.equal(await pool.exitCode, 1);
    assert.equal(isAlive(pid), false);
  });

  it('skips the delay if no worker has ever been ready', async () => {
    const pool = await startPool({ openWhen: path.join(folder, 'never') }, slow);
    pool.supervisor.stop('a test');
    const pid = /pid (\d+)/.exec(pool.supervisor.describe())?.[1];
    process.kill(Number(pid ?? assert.fail()), 'SIGKILL');
    assert.equal(await pool.exitCode, 0);
  });
});

function configOf(flags: string[]) {
  const interpreted = interpretConfig(parseCommandLine(flags), {});
  assert('config' in interpreted);
  return interpreted.config;
}
