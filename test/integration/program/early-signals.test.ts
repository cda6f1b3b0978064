/** Signals that arrive before the program has loaded their handlers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type GatewayProcess, spawnGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'early-'));
after(() => rmSync(folder, { recursive: true }));
const started: GatewayProcess[] = [];
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.kill();
});

/** The supervisor gets the signal while it reads its version, before it reads its settings. */
function environmentWith(signal: NodeJS.Signals): Readonly<Record<string, string>> {
  const file = path.join(folder, `${signal}.mjs`);
  writeFileSync(
    file,
    `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const read = fs.readFileSync;
fs.readFileSync = (file, ...rest) => {
  if (process.argv[2] !== 'worker' && String(file).endsWith('/package.json')) {
    fs.readFileSync = read;
    syncBuiltinESMExports();
    process.kill(process.pid, '${signal}');
  }
  return read(file, ...rest);
};
syncBuiltinESMExports();
`,
  );
  return { NODE_OPTIONS: `--import=${pathToFileURL(file).href}` };
}

describe('a gateway that is still loading', () => {
  it('handles SIGHUP as it does later, and serves', async () => {
    const gateway = await startGateway({ env: environmentWith('SIGHUP') });
    started.push(gateway);
    const said =
      'SIGHUP: nothing to read again, since there is no --settings-file, --token-file or --tls-cert';
    await until(() => gateway.logged().some(({ msg }) => msg === said));
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });

  it('shuts down cleanly on SIGTERM, and starts no worker', async () => {
    const gateway = spawnGateway({ env: environmentWith('SIGTERM') });
    started.push(gateway);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.equal(gateway.stderr(), '');
    const messages = gateway.logged().map(({ msg }) => msg);
    assert.deepEqual(messages, ['stopping; requests in flight may finish', 'stopped']);
  });

  it('ends by the signal with --check-config', async () => {
    const gateway = spawnGateway({
      args: ['--check-config'],
      env: environmentWith('SIGTERM'),
    });
    started.push(gateway);
    assert.deepEqual(await gateway.ended, { code: null, signal: 'SIGTERM' });
  });
});
