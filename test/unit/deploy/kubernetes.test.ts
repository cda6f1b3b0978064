/** The manifests of deploy/kubernetes. No cluster applies them here: docs/deployment.md says what was tried. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { gibibyte, mebibyte } from '../../../src/config/kinds.ts';
import { parseLocalConfig } from '../../../src/engine-config/local-config.ts';
import { compileManifests } from '../../helpers/deploy/compile-manifests.ts';
import type { Kinds } from '../../helpers/deploy/kinds.ts';
import {
  containersOf,
  type Manifest,
  manifestsIn,
  namedBy,
  readKustomization,
  render,
} from '../../helpers/deploy/kustomize.ts';
import { memoryNeeded, settingsIn } from '../../helpers/deploy/settings.ts';
import { root } from '../../helpers/process/packed.ts';

const kubernetes = path.join(root, 'deploy/kubernetes');
const folders = readdirSync(kubernetes, { recursive: true, withFileTypes: true })
  .filter(({ name }) => name === 'kustomization.yaml')
  .map(({ parentPath }) => parentPath);

const overlays = ['embedded', 'npu', 'cce'] as const;
type Overlay = (typeof overlays)[number];
const folderOf = (overlay: Overlay) => path.join(kubernetes, 'overlays', overlay);
const rendered = new Map(overlays.map((overlay) => [overlay, render(folderOf(overlay))]));
const manifestsOf = (overlay: Overlay) => rendered.get(overlay) ?? [];

function kindIn<Kind extends keyof Kinds>(overlay: Overlay, kind: Kind): Kinds[Kind] | undefined {
  return manifestsOf(overlay).find((each) => each.kind === kind) as Kinds[Kind] | undefined;
}

/** The workload of an overlay, with its pod and its container. */
function workloadOf(overlay: Overlay) {
  const workload = kindIn(overlay, 'Deployment') ?? kindIn(overlay, 'DaemonSet');
  const pod = workload?.spec?.template.spec;
  const [container] = pod?.containers ?? [];
  assert.ok(workload !== undefined && pod !== undefined && container !== undefined, overlay);
  return { workload, pod, container, labels: workload.spec?.template.metadata?.labels };
}

const bytesOf = (quantity: string): number => {
  const [, digits, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? assert.fail(quantity);
  return Number(digits) * (unit === 'Gi' ? gibibyte : mebibyte);
};

/** The version of kustomize in kubectl; undefined without kubectl. */
function kubectlKustomize(): string | undefined {
  try {
    const version = execFileSync('kubectl', ['version', '--client', '-o', 'json'], {
      stdio: 'pipe',
    });
    return (JSON.parse(String(version)) as { kustomizeVersion?: string }).kustomizeVersion;
  } catch {
    return undefined;
  }
}

/** In an order of their own, and without the suffix of config maps, which is a hash. */
const comparable = (manifests: readonly Manifest[]) => {
  const text = JSON.stringify(manifests).replace(/(memcache-gateway-engine)-[a-z0-9]{10}\b/g, '$1');
  const all = JSON.parse(text) as Manifest[];
  return all.sort((one, other) => (one.kind < other.kind ? -1 : 1));
};

describe('the kustomizations', () => {
  it('name files and folders that exist, and leave out none', () => {
    assert.equal(folders.length, 6);
    for (const folder of folders) {
      const named = namedBy(readKustomization(folder));
      for (const name of named)
        assert.ok(existsSync(path.join(folder, name)), `${folder}: ${name}`);
      const files = readdirSync(folder).filter((name) => name !== 'kustomization.yaml');
      assert.deepEqual(
        files.filter((name) => !named.includes(name)),
        [],
        folder,
      );
    }
  });

  it('render as kubectl renders them', (t) => {
    const version = kubectlKustomize();
    if (!version?.startsWith('v5.')) return t.skip('no kubectl with kustomize 5');
    for (const overlay of overlays) {
      const text = execFileSync('kubectl', ['kustomize', folderOf(overlay)], { encoding: 'utf8' });
      assert.deepEqual(comparable(manifestsOf(overlay)), comparable(manifestsIn(text)), overlay);
    }
  });

  it('render manifests with the members and types of Kubernetes, and no others', () => {
    const faults = compileManifests(
      overlays.flatMap((overlay) =>
        manifestsOf(overlay).map((each, at) => {
          return `export const ${overlay}${at}: Kinds['${each.kind}'] = ${JSON.stringify(each)};`;
        }),
      ),
    );
    assert.deepEqual(faults, []);
  });

  it('would not render a misspelt member or a wrong type', () => {
    const faults = compileManifests([
      "export const a: Kinds['Service'] = { apiVersion: 'v1', kind: 'Service', spec: { port: [] } };",
      "export const b: Kinds['Service'] = { spec: { ports: [{ port: '8080' }] } };",
    ]);
    assert.equal(faults.length, 2, faults.join('\n'));
  });
});

for (const overlay of overlays) {
  describe(`the overlay ${overlay}`, () => {
    const { workload, pod, container, labels } = workloadOf(overlay);
    const { values } = settingsIn(containersOf(workload as unknown as Manifest)[0]?.env ?? []);

    it('runs without privileges, on a root file system that it cannot write', () => {
      const context = { ...pod.securityContext };
      assert.equal(context.runAsNonRoot, true);
      assert.equal(context.runAsUser, 1000);
      assert.deepEqual(context.seccompProfile, { type: 'RuntimeDefault' });
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      assert.equal(pod.automountServiceAccountToken, false);
      assert.equal(pod.enableServiceLinks, false);
    });

    it('has probes of pages that exist, which give the engine time to start', () => {
      const pages = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;
      const paths = pages.map((name) => container[name]?.httpGet?.path);
      assert.deepEqual(paths, ['/livez', '/livez', '/readyz']);
      const ports = pages.map((name) => container[name]?.httpGet?.port);
      assert.deepEqual(ports, ['admin', 'admin', 'http']);
      assert.deepEqual(
        container.ports?.map(({ name }) => name),
        ['http', 'admin'],
      );
    });

    it('has time for both drain times and the end of the engine, and notices the drain in that time', () => {
      const graceMs = 1000 * (pod.terminationGracePeriodSeconds ?? 0);
      assert.ok(graceMs >= values.drainDelayMs + values.drainMs + 10_000);
      const { periodSeconds = 0, failureThreshold = 0 } = container.readinessProbe ?? {};
      assert.ok(values.drainDelayMs >= 1000 * periodSeconds * failureThreshold);
    });

    it('mounts the tokens so that only root and the group of the gateway can read them', () => {
      const tokens = pod.volumes?.find(({ name }) => name === 'tokens');
      assert.equal(tokens?.secret?.defaultMode, 0o440);
      assert.equal(pod.securityContext?.fsGroup, pod.securityContext?.runAsGroup);
      const mount = container.volumeMounts?.find(({ name }) => name === 'tokens');
      // Kubernetes does not update a file with subPath.
      assert.equal(mount?.subPath, undefined);
      const file = container.env?.find(({ name }) => name === 'GATEWAY_TOKEN_FILE')?.value ?? '';
      assert.equal(path.dirname(file), mount?.mountPath);
    });

    it('has room for the pool in /dev/shm, and for all of its memory in its limit', () => {
      const shm = pod.volumes?.find(({ name }) => name === 'shm')?.emptyDir;
      assert.equal(shm?.medium, 'Memory');
      const devices = values.devices.length;
      const pool = values.engine === 'embedded' ? values.poolBytes * devices : 0;
      assert.ok(bytesOf(shm?.sizeLimit ?? '') > pool);
      const limit = bytesOf(container.resources?.limits?.['memory'] ?? '');
      assert.ok(limit >= memoryNeeded(values), `${limit} < ${memoryNeeded(values)}`);
    });

    it('has selectors that match its pods', () => {
      const { metadata } = workload;
      const selected = [
        workload.spec?.selector.matchLabels,
        kindIn(overlay, 'Service')?.spec?.selector,
        kindIn(overlay, 'NetworkPolicy')?.spec?.podSelector?.matchLabels,
        kindIn(overlay, 'PodMonitor')?.spec.selector.matchLabels,
      ];
      for (const selector of selected) assert.deepEqual(selector, labels, metadata?.name);
    });

    it('gives Prometheus the job name of the rules', () => {
      const label = kindIn(overlay, 'PodMonitor')?.spec.jobLabel ?? '';
      assert.equal(labels?.[label], 'memcache-gateway');
    });

    it('lets clients with the label reach it, whatever their other labels', () => {
      const [rule] = kindIn(overlay, 'NetworkPolicy')?.spec?.ingress ?? [];
      assert.deepEqual(rule?.from?.[0]?.podSelector?.matchLabels, {
        'memcache-gateway-client': 'true',
      });
    });
  });
}

describe('the overlays', () => {
  it('for NPUs replace one gateway at a time, and ask for the devices that they use', () => {
    for (const [overlay, resource] of [
      ['npu', 'huawei.com/Ascend910'],
      ['cce', 'huawei.com/ascend-1980'],
    ] as const) {
      const daemons = kindIn(overlay, 'DaemonSet');
      assert.equal(daemons?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable, 1);
      // A disruption budget does not apply to a DaemonSet.
      assert.equal(kindIn(overlay, 'PodDisruptionBudget'), undefined);
      const { container } = workloadOf(overlay);
      const { values } = settingsIn(containersOf(daemons as unknown as Manifest)[0]?.env ?? []);
      const { limits = {}, requests = {} } = container.resources ?? {};
      const devices = ({ [resource]: count }: Record<string, string>) => Number(count);
      assert.deepEqual([devices(limits), devices(requests)], [8, 8], overlay);
      assert.equal(values.devices.length, 8);
      assert.deepEqual(Object.keys(limits).sort(), [resource, 'memory'].sort());
    }
  });

  it('for NPUs have a configuration of the engine in which the gateway finds no fault', () => {
    const file = path.join(folderOf('npu'), 'mmc-local.conf');
    const { warnings } = parseLocalConfig(file, readFileSync(file, 'utf8'), 8);
    assert.deepEqual(warnings, []);
  });

  it('without NPUs have one replica, because each has a pool of its own', () => {
    assert.equal(kindIn('embedded', 'Deployment')?.spec?.replicas, 1);
    assert.equal(kindIn('embedded', 'PodDisruptionBudget')?.spec?.maxUnavailable, 1);
    assert.equal(kindIn('embedded', 'DaemonSet'), undefined);
  });
});
