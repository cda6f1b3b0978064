/** An overload refuses every request, and its log stays readable. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { type GatewayProcess, spawnGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

/** More than the log may have lines about them. */
const REQUESTS = 200;

/** Stops the gateway and returns the lines and the counts in its log about one problem. */
async function accountedFor(gateway: GatewayProcess, problem: string) {
  await gateway.stop();
  const found = gateway.logged().filter((line) => line['problem'] === problem);
  const counts = found.flatMap(({ suppressed }) => (suppressed === undefined ? [] : [suppressed]));
  const lines = found.length - counts.length;
  const suppressed = counts.reduce((sum: number, count) => sum + Number(count), 0);
  return { lines, counts: counts.length, total: lines + suppressed };
}

async function refusals(url: string, init: RequestInit, status: number): Promise<void> {
  for (let sent = 0; sent < REQUESTS; sent += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url, init)));
    for (const answer of answers) {
      assert.equal(answer.status, status);
      await answer.arrayBuffer();
    }
  }
}

describe('the log of 200 refusals', () => {
  it('has few lines about a full pool, and their counts add up', async () => {
    const injection = createInjection([
      { on: 'put', prefix: 'full', code: -3016 },
      { on: 'batch_put', prefix: 'full', itemCode: -3016 },
    ]);
    const gateway = await startGateway({
      args: ['--engine', await injectingLibrary()],
      env: injection.env,
    });
    try {
      const init = { method: 'PUT', body: 'x' };
      await refusals(`${gateway.url}/v1/objects/full`, init, 507);
      const { lines, counts, total } = await accountedFor(gateway, 'no-room');
      assert.equal(total, REQUESTS);
      assert.ok(lines <= 10 * (counts + 1) && counts <= 12, `${lines} lines, ${counts} counts`);
    } finally {
      await gateway.kill();
      injection.dispose();
    }
  });

  it('has few lines about a missing worker, and their counts add up', async () => {
    const injection = createInjection([{ on: 'init', code: -3000 }]);
    const gateway = spawnGateway({
      args: ['--log-level', 'debug', '--engine', await injectingLibrary()],
      env: injection.env,
    });
    try {
      const port = () => gateway.logged().find((line) => 'port' in line)?.['port'];
      await until(() => port() !== undefined, { deadlineMs: 30_000 });
      await refusals(`http://127.0.0.1:${Number(port())}/v1/objects/a`, {}, 503);
      const { lines, counts, total } = await accountedFor(gateway, 'not-ready');
      assert.equal(total, REQUESTS);
      assert.ok(lines <= 10 * (counts + 1) && counts <= 12, `${lines} lines, ${counts} counts`);
    } finally {
      await gateway.kill();
      injection.dispose();
    }
  });
});
