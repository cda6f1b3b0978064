import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { silentLog } from '../../../src/log/waiting-log.ts';
import { duplicateDescriptor } from '../../../src/os/listening-descriptor.ts';
import { Accepting } from '../../../src/supervisor/accepting.ts';

describe('the listeners that a starting worker has inherited', () => {
  it('refuse clients after a shutdown that began before the worker could accept', async (t) => {
    const interpreted = interpretConfig(parseCommandLine(['--port', '0']), {});
    assert('config' in interpreted);
    const accepting = new Accepting({
      config: interpreted.config,
      log: silentLog,
      workers: [],
      onConnection: (socket) => socket.destroy(),
      onAdmin: (socket) => socket.destroy(),
    });
    const listeners = await accepting.open();
    // As the fork of a worker does.
    const inherited = duplicateDescriptor(accepting.descriptors[0] ?? assert.fail());
    t.after(() => closeSync(inherited));
    void accepting.share();
    await accepting.end();
    listeners.close();
    const client = net.connect(listeners.tcp?.port ?? 0, '127.0.0.1');
    t.after(() => client.destroy());
    await assert.rejects(once(client, 'connect'), { code: 'ECONNREFUSED' });
  });
});
