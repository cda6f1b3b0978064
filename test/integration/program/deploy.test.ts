/** Starts the gateway with exactly the settings of the files in deploy/. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { composed, composedEnvironment } from '../../helpers/deploy/compose.ts';
import { containersOf, render } from '../../helpers/deploy/kustomize.ts';
import { settingsIn } from '../../helpers/deploy/settings.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { root } from '../../helpers/process/packed.ts';
import { testToken, writeTokens } from '../../helpers/process/token-files.ts';

const temporary = mkdtempSync(path.join(tmpdir(), 'deploy-'));
after(() => rmSync(temporary, { recursive: true }));

/** An empty variable counts as absent, so that those of the tests do not replace those of a file. */
const noVariables = { GATEWAY_POOL_BYTES: '', GATEWAY_ARENA_BYTES: '', GATEWAY_ENGINE: '' };

/** Creates a file of tokens, where the variables name one. */
function withTokenFile(variables: Readonly<Record<string, string>>): Record<string, string> {
  if (variables['GATEWAY_TOKEN_FILE'] === undefined) return { ...variables };
  const file = path.join(temporary, 'tokens.json');
  writeTokens(file, [testToken()]);
  return { ...variables, GATEWAY_TOKEN_FILE: file };
}

/** Fails unless the gateway is ready; it listens on any port. */
async function checkReady(
  variables: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<void> {
  const { GATEWAY_LISTEN: listen } = variables;
  const anyPort = listen ? ['--listen', listen.replaceAll(/:\d+/g, ':0')] : ['--port', '0'];
  const gateway: ReadyGateway = await startGateway({
    args: [...anyPort, ...args],
    env: { ...noVariables, ...withTokenFile(variables) },
  });
  try {
    const response = await fetch(`http://127.0.0.1:${gateway.port}/readyz`);
    assert.equal(response.status, 200, await response.text());
  } finally {
    assert.equal((await gateway.stop()).code, 0);
  }
}

describe('the gateway gets ready and stops', () => {
  it('with the settings of the compose file', async () => {
    const { variables } = settingsIn(composedEnvironment, composed.command);
    await checkReady(variables, composed.command);
  });

  it('with the settings of the embedded overlay', async () => {
    const manifests = render(path.join(root, 'deploy/kubernetes/overlays/embedded'));
    const [container] = manifests.flatMap(containersOf);
    assert.ok(container !== undefined);
    const { variables } = settingsIn(container.env);
    // The delay is for the endpoints of Kubernetes.
    await checkReady({ ...variables, GATEWAY_DRAIN_DELAY_MS: '0' }, []);
  });

  it('with the settings file of the unit of systemd', async () => {
    const file = path.join(root, 'deploy/systemd/gateway.conf');
    assert.match(readFileSync(file, 'utf8'), /^GATEWAY_/m);
    await checkReady({ GATEWAY_DRAIN_DELAY_MS: '0' }, ['--settings-file', file]);
  });
});
