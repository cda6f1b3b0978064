import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { startGateway } from '../helpers/gateway.ts';
import { untilIdle } from '../helpers/metrics.ts';
import { requestHead } from '../helpers/raw-connection.ts';
import { requestTo } from '../helpers/requests.ts';

const mebibyte = 1 << 20;

describe('a reader that is slow and steady', () => {
  it('gets all of an object, though a megabyte takes it longer than the idle timeout', async (t) => {
    const gateway = await startGateway({
      args: ['--min-rate-bytes', '0', '--idle-timeout-ms', '800'],
    });
    t.after(() => gateway.kill());
    const size = 8 * mebibyte;
    const key = await requestTo(() => gateway).store(Buffer.alloc(size, 1));
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.on('readable', () => undefined);
    let received = 0;
    // A megabyte a second: what the kernel's buffers do not take waits for seconds.
    const pace = setInterval(() => {
      const chunk = socket.read(Math.min(20_000, Math.max(1, socket.readableLength))) as Buffer;
      received += (chunk as Buffer | null)?.length ?? 0;
    }, 20);
    t.after(() => {
      clearInterval(pace);
      socket.destroy();
    });
    socket.write(requestHead('GET', `/v1/objects/${key}`, { Connection: 'close' }));
    await once(socket, 'end');
    assert.ok(received > size, `${received} of ${size} bytes, and a head`);
    await untilIdle(gateway.url);
  });
});
