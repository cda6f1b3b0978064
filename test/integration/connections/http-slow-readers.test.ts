import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { startGateway } from '../../helpers/process/gateway.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const mebibyte = 1 << 20;

describe('a reader that is slow and steady', () => {
  it('gets a whole object, though each megabyte takes longer than the idle timeout', async (t) => {
    const gateway = await startGateway({
      args: ['--min-rate-bytes', '0', '--idle-timeout-ms', '800'],
    });
    t.after(() => gateway.kill());
    const size = 8 * mebibyte;
    const key = await requestTo(() => gateway).store(Buffer.alloc(size, 1));
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.on('readable', () => undefined);
    let received = 0;
    // A megabyte a second: bytes that do not fit the kernel's buffers wait for seconds.
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
