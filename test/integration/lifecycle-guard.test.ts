/** Errors in the supervisor that nobody catches, put there from outside: it runs as it is shipped. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { clientOf } from '../helpers/checked-client.ts';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { until } from '../helpers/until.ts';

const gateways: ReadyGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
});

/** A gateway whose processes run this first. */
async function startWith(program: string): Promise<ReadyGateway> {
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(program)}`;
  const gateway = await startGateway({ env: { NODE_OPTIONS } });
  gateways.push(gateway);
  return gateway;
}

describe('an error that nobody caught', () => {
  for (const [what, statement] of [
    ['thrown', "throw new Error('planted');"],
    ['of a promise', "Promise.reject(new Error('planted'));"],
  ] as const) {
    it(`${what}, is logged, and everything goes on`, async () => {
      const gateway = await startWith(`process.on('SIGUSR2', () => { ${statement} });`);
      const worker = gateway.workerPid();
      gateway.signal('SIGUSR2');
      const find = () => gateway.logged().find(({ level }) => level === 'error');
      await until(() => find() !== undefined);
      assert.equal(find()?.['msg'], 'an error that nobody caught; the gateway goes on');
      assert.match(JSON.stringify(find()?.['err']), /"message":"planted","stack":"Error: planted/);
      assert.equal(await clientOf(() => gateway).put('a', 'x'), 'created');
      assert.equal(gateway.workerPid(), worker);
      assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
      assert.equal(gateway.stderr(), '');
    });
  }

  it('is the end when it leaves a device without a worker', async () => {
    const gateway = await startWith(`
      const { setTimeout } = globalThis;
      globalThis.setTimeout = (action, ...others) => {
        if (String(action).includes('#restarts')) throw new Error('planted');
        return setTimeout(action, ...others);
      };`);
    process.kill(gateway.workerPid() ?? assert.fail('no worker'), 'SIGKILL');
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    assert.match(
      gateway.stderr(),
      /planted[\s\S]*nobody caught this, and device 0 has no worker any/,
    );
  });
});
