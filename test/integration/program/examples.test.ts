import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { textOf } from '../../helpers/bodies/text.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { defaultSizes, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

const script = fileURLToPath(new URL('../../../examples/kv-block.sh', import.meta.url));

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

function run(environment: Record<string, string>, ...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    execFile('sh', [script, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('examples/kv-block.sh', () => {
  let gateway: ReadyGateway;
  const client = clientOf(() => gateway);
  before(async () => {
    gateway = await startGateway({ env: defaultSizes });
  });
  after(async () => {
    await gateway.stop();
  });

  it('stores a block of 122 layers, fetches it and finds the digests equal', async () => {
    const { code, stdout, stderr } = await run({ GATEWAY_URL: gateway.url }, 'kv/block-7');
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, /^made {5}122 layers, 8994816 bytes, sha-256 ([0-9a-f]{64})$/m);
    assert.match(stdout, /^fetched {2}8994816 bytes, sha-256 [0-9a-f]{64}$/m);
    assert.match(stdout, /the digests are equal\n$/);
    assert.equal(await client.has('kv/block-7'), false, 'it leaves nothing behind');
  });

  it('prints the response of the gateway when the key exists, and leaves the object unchanged', async () => {
    await client.put('taken', 'mine');
    const { code, stderr } = await run({ GATEWAY_URL: gateway.url }, 'taken');
    assert.equal(code, 1);
    assert.match(stderr, /^kv-block: status 409, not 201: .*object-exists/);
    assert.equal(textOf(await client.get('taken')), 'mine');
  });

  it('reports that no gateway responds', async () => {
    const { code, stderr } = await run({ GATEWAY_URL: 'http://127.0.0.1:9' });
    assert.equal(code, 1);
    assert.match(stderr, /^kv-block: no response from http:\/\/127\.0\.0\.1:9 .*npm start/s);
  });
});
