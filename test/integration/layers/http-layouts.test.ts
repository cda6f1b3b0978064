/** Requests on engines with either layout of `mmc_data_info`, and the refusal of any other layout. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { defaultEngine, spawnGateway, startGateway } from '../../helpers/process/gateway.ts';

const injection = createInjection();
after(() => injection.dispose());

async function onLayout(bytes: number) {
  return {
    args: ['--engine', await injectingLibrary()],
    env: { ...injection.env, MMC_INJECT_DATA_INFO_BYTES: String(bytes) },
  };
}

describe('a gateway that a test starts', () => {
  it('runs on the engine that GATEWAY_ENGINE names', async () => {
    const gateway = await startGateway();
    assert.equal(gateway.ready['engine'], defaultEngine);
    await gateway.kill();
  });
});

for (const bytes of [64, 128]) {
  describe(`on an engine whose items have ${bytes} bytes`, () => {
    withGateway(
      () => onLayout(bytes),
      (gateway) => {
        const { batch } = batchesOf(gateway);
        const { request } = requestTo(gateway);
        const stem = randomUUID();
        const keys = Array.from({ length: 50 }, (_, index) => `${stem}/${index}`);
        const sizeOf = (index: number): number => 10 + index * 7;

        it('each info of a batch belongs to its key, also between absent keys', async () => {
          const items = keys.map((key, index) => {
            return { key, value: Buffer.alloc(sizeOf(index), index).toString('base64') };
          });
          assert.equal((await batch('put', { items })).failed, 0);
          const asked = keys.flatMap((key) => [key, `${key}/absent`]);
          const info = await batch('info', { keys: asked });
          assert.deepEqual(
            info.items.map(({ status, ...item }) => [status, item['size']]),
            keys.flatMap((_, index) => [
              [200, sizeOf(index)],
              [404, undefined],
            ]),
          );
        });

        it('each of many parallel HEADs has the length of its object', async () => {
          const wrong: string[] = [];
          for (let round = 0; round < 8; round++) {
            await Promise.all(
              keys.map(async (key, index) => {
                let answer = await request('HEAD', key);
                // On a busy machine the supervisor may refuse a connection with 503: try again.
                for (let again = 0; answer.status === 503 && again < 20; again++) {
                  answer = await request('HEAD', key);
                }
                const { status, headers } = answer;
                const length = headers['content-length'];
                if (status !== 200 || length !== String(sizeOf(index))) {
                  wrong.push(`${index}: ${status} ${length}`);
                }
              }),
            );
          }
          assert.deepEqual(wrong, []);
        });
      },
    );
  });
}

describe('on an engine whose items have 96 bytes', () => {
  it('the gateway exits with 1 and prints the bytes it read and what to do', async () => {
    const gateway = spawnGateway(await onLayout(96));
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    const output = gateway.stdout() + gateway.stderr();
    assert.match(output, /layout of mmc_data_info in this engine is unknown/);
    assert.match(output, /first 288 bytes/);
    assert.match(output, /64 bytes \(MemCache Hybrid 1\.0\.1 to 1\.1\).*128 bytes \(1\.2\)/);
  });
});
