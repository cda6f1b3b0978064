/** Starts of the embedded engine that fail: the error says why, not only which code was returned. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { describe, it } from 'node:test';
import { gatewayCommand, spawnGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

/** In a mount namespace of its own, so that the shared memory of other processes stays as it is. */
const readOnly = 'mount -t tmpfs -o ro tmpfs /dev/shm && exec "$0" "$@"';
const unshare = ['unshare', '--mount', '--map-root-user', '/bin/sh', '-c', readOnly] as const;
const cannotUnshare = spawnSync(unshare[0], [...unshare.slice(1), 'true']).status !== 0;

describe('the embedded engine', { concurrency: true }, () => {
  const skip = cannotUnshare && 'this user may not create a mount namespace';
  for (const args of [[], ['--check-config']]) {
    it(`is refused with a read-only /dev/shm: ${args.join()}`, { skip }, async () => {
      const command = [...unshare, process.execPath, ...gatewayCommand()] as const;
      const gateway = spawnGateway({ command, args });
      try {
        const refusal = /--engine: .*in \/dev\/shm, which is read-only; mount a writable/;
        await until(() => refusal.test(gateway.stderr()));
        assert.equal((await gateway.ended).code, 2);
      } finally {
        await gateway.kill();
      }
    });
  }

  it('names a variable with a bad value in the error', async () => {
    const gateway = spawnGateway({ env: { MMC_EMBEDDED_EVICT: 'sometimes' } });
    try {
      const isError = ({ level, msg }: Record<string, unknown>) =>
        level === 'error' && String(msg).startsWith('The engine could not be initialised');
      await until(() => gateway.logged().some(isError));
      const { msg } = gateway.logged().find(isError) ?? {};
      assert.match(String(msg), /initialised: MMC_EMBEDDED_EVICT\b.*\n.*unset it/);
      assert.doesNotMatch(String(msg), /missing key/);
    } finally {
      await gateway.kill();
    }
  });
});
