import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MIN_DESCRIPTORS, neededDescriptors } from '../../../src/os/descriptors.ts';
import { gatewayCommand, spawnGateway, startGateway } from '../../helpers/process/gateway.ts';

/** The program under a limit of open files, soft and hard. */
const limited = (descriptors: number) =>
  [
    '/bin/sh',
    '-c',
    `ulimit -n ${descriptors} && exec "$0" "$@"`,
    process.execPath,
    ...gatewayCommand(),
  ] as const;

describe('a gateway with few file descriptors', () => {
  for (const descriptors of [30, MIN_DESCRIPTORS - 1]) {
    it(`exits with 1 and says what to do: ${descriptors}`, async () => {
      const gateway = spawnGateway({ command: limited(descriptors) });
      assert.equal((await gateway.ended).code, 1);
      assert.match(gateway.stderr(), /(limit of open files is \d+|file descriptors).*ulimit -n/);
    });
  }

  it('exits with 1 when it has too few for its devices', async () => {
    const devices = 64;
    const needed = neededDescriptors({ workers: devices, listeners: 1 });
    assert.ok(needed > MIN_DESCRIPTORS);
    const gateway = spawnGateway({
      command: limited(needed - 1),
      args: ['--devices', `0-${devices - 1}`],
    });
    assert.equal((await gateway.ended).code, 1);
    assert.match(gateway.stderr(), new RegExp(`limit of open files is ${needed - 1}.* ${needed};`));
  });

  it('serves with the required number, logs how many connections fit, and ends on SIGTERM', async () => {
    const gateway = await startGateway({ command: limited(MIN_DESCRIPTORS) });
    const lines = gateway.logged().filter(({ openFiles }) => openFiles === MIN_DESCRIPTORS);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'info'],
    );
    const connections = Number(gateway.ready['maxConnections']);
    assert.ok(connections >= 8);
    // More clients than fit: some may fail, but the gateway keeps running and ends on SIGTERM.
    const all = Array.from({ length: 4 * connections }, () =>
      fetch(`${gateway.url}/livez`, { signal: AbortSignal.timeout(5000) }).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    assert.ok((await Promise.all(all)).includes(200));
    assert.equal((await gateway.stop()).code, 0);
  });
});
