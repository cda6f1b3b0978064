import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { isEstablished, waitingBytes } from '../../helpers/http/kernel-connections.ts';
import { withBothLanes } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { arenaWaiters, metricsOf, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const tight = [
  ...['--arena-bytes', '32MiB', '--max-object-bytes', '8MiB', '--arena-wait-ms', '60000'],
  // No minimum rate: uploads in progress are not cut off while other requests wait.
  ...['--min-rate-bytes', '0'],
];

/** Requests whose body needs a block of 7 MiB: kind, method, path, headers, and the begin of the body. */
const unreadBodies = [
  ['object', 'PUT', `/v1/objects/${randomUUID()}`, {}, ''],
  [
    'layers',
    'PUT',
    `/v1/layers/${randomUUID()}?sizes=${7 * mebibyte}`,
    { 'Content-Type': 'application/vnd.safetensors' },
    '',
  ],
  [
    'batch',
    'POST',
    '/v1/batch/put',
    { 'Content-Type': 'multipart/form-data; boundary=x' },
    `--x\r\nContent-Disposition: form-data; name="${randomUUID()}"\r\nContent-Length: ${7 * mebibyte}\r\n\r\n`,
  ],
] as const;

withBothLanes({ args: tight }, (gateway) => {
  const { value } = requestTo(gateway);
  /** Undefined while a busy worker has not reported. */
  const sample = async (name: string) => (await metricsOf(gateway().url)).get(name);

  /** Four uploads in progress hold 30 of 32 MiB. A larger request then waits, and so do later requests. */
  async function fillArena() {
    const holders = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const connection = await connectRaw(gateway().port);
        const headers = { 'Content-Length': 7.5 * mebibyte };
        connection.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, headers));
        return connection;
      }),
    );
    await until(async () => (await sample(usedBlocks)) === 4);
    return holders;
  }

  describe('a client whose body is not read while its request waits for room', () => {
    for (const [kind, method, path, headers, begin] of unreadBodies) {
      it(`loses its place when it ends its side inside its body (${kind})`, async () => {
        const holders = await fillArena();
        const { socket, send, closed } = await connectRaw(gateway().port);
        const local = socket.localPort as number;
        send(requestHead(method, path, { ...headers, 'Content-Length': 7.5 * mebibyte }) + begin);
        await until(async () => (await sample(arenaWaiters)) === 1);
        send(Buffer.alloc(80_000));
        await until(async () => (await waitingBytes(gateway().port, local)) > 0);
        socket.end();
        // The gateway sends no response, since the request is incomplete.
        assert.equal((await closed()).rest.toString(), '');
        await until(async () => (await sample(arenaWaiters)) === 0);
        for (const holder of holders) holder.destroy();
        await untilIdle(gateway().url);
      });
    }

    it('is served when it ends its side behind its body', async () => {
      const holders = await fillArena();
      const first = await connectRaw(gateway().port);
      const headers = { 'Content-Length': 7 * mebibyte };
      first.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, headers));
      await until(async () => (await sample(arenaWaiters)) === 1);
      const writer = await connectRaw(gateway().port);
      const key = randomUUID();
      const path = `/v1/objects/${key}`;
      const body = randomBytes(100_000);
      writer.send(requestHead('PUT', path, { 'Content-Length': body.length }));
      await until(async () => (await sample(arenaWaiters)) === 2);
      writer.send(body);
      writer.socket.end();
      const local = writer.socket.localPort as number;
      await until(async () => (await waitingBytes(gateway().port, local)) > 0);
      await until(async () => !(await isEstablished(gateway().port, local)));
      // The gateway checks waiting clients every 250 ms.
      const since = performance.now();
      await until(() => performance.now() - since > 400);
      await until(async () => (await sample(arenaWaiters)) === 2);
      holders[0]?.destroy();
      assert.equal((await writer.next({ method: 'PUT', path })).status, 201);
      assert.ok((await value(key)).equals(body));
      for (const connection of [...holders, first, writer]) connection.destroy();
      await untilIdle(gateway().url);
    });
  });
});
