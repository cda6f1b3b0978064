import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { runService } from '../../../../src/cli/meta/run-service.ts';
import { isAlive } from '../../../helpers/process/gateway.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'run-service-'));
after(() => rmSync(folder, { recursive: true }));
const file = path.join(folder, 'service');
writeFileSync(file, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });

/** An address that is not polled. */
const healthUrl = 'https://127.0.0.1:1/health';
const config = { path: '', serviceUrl: 'tcp://127.0.0.1:5000', healthUrl, warnings: [] };
const announcer = { ready() {}, warn() {} };
const signals = { handOver() {} };

/** Runs the service, and the action when it is about to start; returns its exit code and its pid. */
async function runDuringSpawn(action: () => void): Promise<{ code: number; pid: number }> {
  const children: { pid?: number }[] = [];
  const onSpawn = (message: unknown) => {
    children.push((message as { process: { pid?: number } }).process);
    action();
  };
  subscribe('child_process', onSpawn);
  try {
    const code = await runService({ file, config, announcer, signals });
    assert.equal(children.length, 1);
    return { code, pid: children[0]?.pid ?? 0 };
  } finally {
    unsubscribe('child_process', onSpawn);
  }
}

describe('a service that is starting', () => {
  it('ends by a signal that arrives before the process exists', async () => {
    const { code, pid } = await runDuringSpawn(() => process.emit('SIGTERM', 'SIGTERM'));
    assert.equal(code, 128 + 15);
    assert.equal(isAlive(pid), false);
  });
});
