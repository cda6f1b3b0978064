/** Uncaught errors in the supervisor. A preloaded module raises them, so the program runs as shipped. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const gateways: ReadyGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
});

/** Starts a gateway whose processes run `program` first. */
async function startWith(program: string): Promise<ReadyGateway> {
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(program)}`;
  const gateway = await startGateway({ env: { NODE_OPTIONS } });
  gateways.push(gateway);
  return gateway;
}

describe('an uncaught error', () => {
  for (const [what, statement] of [
    ['thrown', "throw new Error('planted');"],
    ['of a promise', "Promise.reject(new Error('planted'));"],
  ] as const) {
    it(`${what} is logged, and the gateway goes on`, async () => {
      const gateway = await startWith(`process.on('SIGUSR2', () => { ${statement} });`);
      const worker = gateway.workerPid();
      gateway.signal('SIGUSR2');
      const find = () => gateway.logged().find(({ level }) => level === 'error');
      await until(() => find() !== undefined);
      assert.equal(find()?.['msg'], 'uncaught error; the gateway continues');
      assert.match(JSON.stringify(find()?.['err']), /"message":"planted","stack":"Error: planted/);
      assert.equal(await clientOf(() => gateway).put('a', 'x'), 'created');
      assert.equal(gateway.workerPid(), worker);
      assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
      assert.equal(gateway.stderr(), '');
    });
  }

  it('ends the gateway when it leaves a device without a worker', async () => {
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
      /planted[\s\S]*this error was not caught, and device 0 has no worker any/,
    );
  });
});
