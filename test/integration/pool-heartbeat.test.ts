/** Workers that stand still, alone or together with their supervisor. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { isAlive, type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { holdProcess, stateOf } from '../helpers/native-debugger.ts';
import { fetchChecked } from '../helpers/openapi.ts';
import { until } from '../helpers/until.ts';

const heartbeatMs = 2000;

const gateways: ReadyGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
});

async function start(...flags: string[]) {
  const gateway = await startGateway({ args: ['--heartbeat-ms', String(heartbeatMs), ...flags] });
  gateways.push(gateway);
  const worker = gateway.workerPid() ?? assert.fail('no worker');
  const statusOf = async (path: string) =>
    (await fetchChecked(gateway.url + path, { headers: { connection: 'close' } })).status;
  const killed = () =>
    gateway.logged().filter(({ msg }) => String(msg).startsWith('worker is killed and replaced: '));
  return { gateway, worker, statusOf, killed };
}

/** What is not to happen can only be waited for by the clock. */
async function pass(ms: number): Promise<void> {
  const since = performance.now();
  await until(() => performance.now() - since > ms);
}

describe('a worker that stands still', () => {
  it('is killed after --heartbeat-ms, and its successor serves', async () => {
    const { gateway, worker, statusOf, killed } = await start();
    const since = performance.now();
    process.kill(worker, 'SIGSTOP');
    await until(() => !isAlive(worker));
    assert.ok(performance.now() - since >= heartbeatMs - 1000);
    await until(async () => (await statusOf('/readyz')) === 200);
    assert.notEqual(gateway.workerPid(), worker);
    assert.equal(killed()[0]?.['level'], 'error');
    assert.equal(killed()[0]?.['device'], 0);
    assert.equal((await gateway.stop()).code, 0);
  });

  it('together with its supervisor, as on a suspended machine, goes on', async () => {
    const { gateway, worker, statusOf, killed } = await start();
    gateway.signal('SIGSTOP');
    process.kill(worker, 'SIGSTOP');
    await pass(2 * heartbeatMs);
    gateway.signal('SIGCONT');
    // The machine is slow to wake.
    await pass(heartbeatMs / 4);
    process.kill(worker, 'SIGCONT');
    await pass(heartbeatMs);
    assert.equal(await statusOf('/readyz'), 200);
    assert.equal(gateway.workerPid(), worker);
    assert.deepEqual(killed(), []);
    assert.equal((await gateway.stop()).code, 0);
  });

  it('for a native debugger, is left alone', async (t) => {
    const { gateway, worker, statusOf, killed } = await start();
    const held = await holdProcess(worker);
    if (held === undefined) return t.skip('the kernel does not permit ptrace');
    assert.equal(stateOf(worker), 't');
    await pass(2 * heartbeatMs);
    assert.equal(gateway.workerPid(), worker);
    await held.release();
    await until(async () => (await statusOf('/readyz')) === 200);
    assert.equal(gateway.workerPid(), worker);
    assert.deepEqual(killed(), []);
    assert.equal((await gateway.stop()).code, 0);
  });

  it('for a debugger, is left alone', async () => {
    const gateway = await startGateway({
      args: ['--heartbeat-ms', String(heartbeatMs)],
      env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' },
    });
    gateways.push(gateway);
    const worker = gateway.workerPid() ?? assert.fail('no worker');
    process.kill(worker, 'SIGSTOP');
    await pass(2 * heartbeatMs);
    assert.equal(gateway.workerPid(), worker);
    process.kill(worker, 'SIGCONT');
    assert.equal((await gateway.stop()).code, 0);
  });
});
