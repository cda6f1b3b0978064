/** deploy/compose.yaml; no container engine runs it here. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readDockerfile } from '../../../scripts/build/dockerfile.mjs';
import { mebibyte } from '../../../src/config/kinds.ts';
import { composed, composedEnvironment } from '../../helpers/deploy/compose.ts';
import { memoryNeeded, settingsIn } from '../../helpers/deploy/settings.ts';
import { root } from '../../helpers/process/packed.ts';

const { values } = settingsIn(composedEnvironment, composed.command);
const mebibytesOf = (size: string) => Number(/^(\d+)m$/.exec(size)?.[1]);

describe('the compose file', () => {
  it('has room for the pool in /dev/shm, and for all memory in its limit', () => {
    assert.ok(mebibytesOf(composed.shm_size) * mebibyte > values.poolBytes);
    assert.ok(mebibytesOf(composed.mem_limit) * mebibyte >= memoryNeeded(values));
  });

  it('publishes the port to loopback only, because it needs no tokens', () => {
    assert.equal(values.insecure, true);
    assert.deepEqual(composed.ports, [`127.0.0.1:8080:${values.port}`]);
  });

  it('has the health check of the image', () => {
    const image = readDockerfile(readFileSync(path.join(root, 'Dockerfile'), 'utf8')).at(-1);
    // Compose reads $$ as $.
    const [kind, ...check] = composed.healthcheck.test.map((word) => word.replaceAll('$$', '$'));
    assert.equal(kind, 'CMD');
    assert.deepEqual(check, image?.healthcheck);
  });

  it('has time to drain, no capabilities, and a root file system that it cannot write', () => {
    const seconds = Number(/^(\d+)s$/.exec(composed.stop_grace_period)?.[1]);
    assert.ok(1000 * seconds >= values.drainDelayMs + values.drainMs + 10_000);
    assert.deepEqual(composed.cap_drop, ['ALL']);
    assert.equal(composed.read_only, true);
  });
});
