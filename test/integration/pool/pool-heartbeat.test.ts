/** Stopped workers, alone or together with their supervisor. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchChecked } from '../../helpers/openapi/openapi.ts';
import { isAlive, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { holdProcess, stateOf } from '../../helpers/process/native-debugger.ts';
import { until } from '../../helpers/process/until.ts';

const heartbeatMs = 3000;
const args = ['--heartbeat-ms', String(heartbeatMs)];

let gateway: ReadyGateway;
const statusOf = async (path: string) =>
  (await fetchChecked(gateway.url + path, { headers: { connection: 'close' } })).status;
const killed = () =>
  gateway.logged().filter(({ msg }) => String(msg).startsWith('worker is killed and replaced: '));
const workerOf = () => gateway.workerPid() ?? assert.fail('no worker');

/** Waits by the clock, since the absence of an event has no condition to wait for. */
async function pass(ms: number): Promise<void> {
  const since = performance.now();
  await until(() => performance.now() - since > ms);
}

describe('a stopped worker', () => {
  before(async () => {
    gateway = await startGateway({ args });
  });
  after(() => gateway.kill());

  it('is not killed when its supervisor was stopped too, as on a suspended machine', async () => {
    const worker = workerOf();
    gateway.signal('SIGSTOP');
    process.kill(worker, 'SIGSTOP');
    await pass(2 * heartbeatMs);
    gateway.signal('SIGCONT');
    // The worker continues a little later than its supervisor.
    await pass(heartbeatMs / 4);
    process.kill(worker, 'SIGCONT');
    await pass(heartbeatMs);
    await until(async () => (await statusOf('/readyz')) === 200);
    assert.equal(gateway.workerPid(), worker);
    assert.deepEqual(killed(), []);
  });

  it('is not killed when a native debugger holds it', async (t) => {
    const worker = workerOf();
    const held = await holdProcess(worker);
    if (held === undefined) return t.skip('the kernel does not permit ptrace');
    assert.equal(stateOf(worker), 't');
    await pass(2 * heartbeatMs);
    assert.equal(gateway.workerPid(), worker);
    await held.release();
    await until(async () => (await statusOf('/readyz')) === 200);
    assert.equal(gateway.workerPid(), worker);
    assert.deepEqual(killed(), []);
  });

  it('is killed after --heartbeat-ms, and the next worker serves', async () => {
    const worker = workerOf();
    const since = performance.now();
    process.kill(worker, 'SIGSTOP');
    await until(() => !isAlive(worker));
    assert.ok(performance.now() - since >= heartbeatMs - 1000);
    await until(async () => (await statusOf('/readyz')) === 200);
    assert.notEqual(gateway.workerPid(), worker);
    assert.equal(killed().length, 1);
    assert.equal(killed()[0]?.['level'], 'error');
    assert.equal(killed()[0]?.['device'], 0);
    assert.equal((await gateway.stop()).code, 0);
  });
});

describe('a stopped worker that runs with --inspect', () => {
  it('is not killed', async () => {
    gateway = await startGateway({ args, env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } });
    try {
      const worker = workerOf();
      process.kill(worker, 'SIGSTOP');
      await pass(2 * heartbeatMs);
      assert.equal(gateway.workerPid(), worker);
      process.kill(worker, 'SIGCONT');
      assert.equal((await gateway.stop()).code, 0);
    } finally {
      await gateway.kill();
    }
  });
});
