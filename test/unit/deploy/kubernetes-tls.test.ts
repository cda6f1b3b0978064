/** The component tls, in the overlays that name it in a comment: a user removes the `#`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { compileManifests } from '../../helpers/deploy/compile-manifests.ts';
import type { Kinds } from '../../helpers/deploy/kinds.ts';
import {
  containersOf,
  type Manifest,
  manifestsIn,
  render,
} from '../../helpers/deploy/kustomize.ts';
import { settingsIn } from '../../helpers/deploy/settings.ts';
import { root } from '../../helpers/process/packed.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'kubernetes-tls-'));
after(() => rmSync(folder, { recursive: true }));
cpSync(path.join(root, 'deploy/kubernetes'), folder, { recursive: true });
for (const overlay of ['embedded', 'npu']) {
  const file = path.join(folder, 'overlays', overlay, 'kustomization.yaml');
  const text = readFileSync(file, 'utf8');
  const chosen = text.replace('# - ../../components/tls', '- ../../components/tls');
  assert.notEqual(chosen, text);
  writeFileSync(file, chosen);
}

const workloadIn = (manifests: readonly Manifest[]) =>
  manifests.find(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet');

for (const overlay of ['embedded', 'npu', 'cce']) {
  describe(`the component tls in the overlay ${overlay}`, () => {
    const place = path.join(folder, 'overlays', overlay);
    const workload = workloadIn(render(place)) ?? assert.fail('no workload');
    const pod = (workload as unknown as Kinds['DaemonSet']).spec?.template.spec;
    const [container] = pod?.containers ?? [];

    it('renders a workload with the members and types of Kubernetes, as kubectl does', (t) => {
      const line = `export const a: Kinds['${workload.kind}'] = ${JSON.stringify(workload)};`;
      assert.deepEqual(compileManifests([line]), []);
      if (spawnSync('kubectl', ['version', '--client']).status !== 0) return t.skip('no kubectl');
      const text = execFileSync('kubectl', ['kustomize', place], { encoding: 'utf8' });
      const withoutHash = text.replace(/(memcache-gateway-engine)-[a-z0-9]{10}\b/g, '$1');
      assert.deepEqual(workloadIn(manifestsIn(withoutHash)), workload);
    });

    it('serves TLS to clients, and health over plain HTTP; the readiness probe uses TLS', () => {
      const { values } = settingsIn(containersOf(workload)[0]?.env ?? []);
      assert.deepEqual(values.listen, [
        { host: '0.0.0.0', port: 8080, scheme: 'tls' },
        { host: '0.0.0.0', port: 8081, scheme: 'admin' },
      ]);
      const schemes = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).map((name) => {
        const { port, scheme } = container?.[name]?.httpGet ?? {};
        return [port, scheme];
      });
      assert.deepEqual(schemes, [
        ['admin', undefined],
        ['admin', undefined],
        ['http', 'HTTPS'],
      ]);
    });

    it('mounts the secret as a directory that only root and the group of the gateway can read', () => {
      const { values } = settingsIn(containersOf(workload)[0]?.env ?? []);
      const secret = pod?.volumes?.find(({ name }) => name === 'tls')?.secret;
      assert.deepEqual(secret, { secretName: 'memcache-gateway-tls', defaultMode: 0o440 });
      const mount = container?.volumeMounts?.find(({ name }) => name === 'tls');
      assert.deepEqual([mount?.subPath, mount?.readOnly], [undefined, true]);
      // The names in a secret of the type kubernetes.io/tls.
      assert.equal(values.tlsCert, `${mount?.mountPath}/tls.crt`);
      assert.equal(values.tlsKey, `${mount?.mountPath}/tls.key`);
    });
  });
}
