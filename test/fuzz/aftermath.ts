/** What must be true of a gateway after the game. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import type { ReadyGateway } from '../helpers/process/gateway.ts';
import { metricsOf, requestsInFlight, usedBlocks, usedBytes } from '../helpers/process/metrics.ts';
import { until } from '../helpers/process/until.ts';

/** The sockets of a process; those of the request that asks for metrics are none of them. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      // The descriptor has been closed meanwhile.
      return false;
    }
  }).length;
}

export interface Before {
  readonly worker: number;
  readonly sockets: number;
}

/** What a connection holds until it has closed. */
const waiting = ['arena_waiters', 'text_held_bytes', 'room_waiters', 'coalescing_waiting'];

const named = (name: string) => `memcache_gateway_${name}`;

/** `admin` is the address of the listener for operators; `counted` requests were valid and had a response. */
export async function checkAftermath(
  gateway: ReadyGateway,
  admin: string,
  before: Before,
  counted: number,
): Promise<void> {
  assert.equal(gateway.workerPid(), before.worker, 'the worker has been replaced');
  const nonzero = async () => {
    const now = await metricsOf(admin);
    const inUse = [usedBytes, usedBlocks, requestsInFlight, ...waiting.map(named)];
    return inUse.filter((name) => now.get(name) !== 0);
  };
  // The supervisor serves the metrics, so they are no request in flight.
  await until(async () => (await nonzero()).length === 0).catch(async () => {
    assert.fail(`still in use: ${await nonzero()}`);
  });
  const open = () => socketsOf(before.worker);
  // Two connections of the metrics may be kept open.
  await until(() => open() <= before.sockets + 2, { what: `no connection is left open` });
  const metrics = await metricsOf(admin);
  for (const [name, value] of metrics)
    assert.ok(value >= 0 || /^nodejs|^process/.test(name), `${name} ${value}`);
  const requests = [...metrics].filter(([name]) =>
    name.startsWith('http_server_request_duration_seconds_count'),
  );
  const total = requests.reduce((sum, [, value]) => sum + value, 0);
  assert.ok(total >= counted, `${total} requests were counted, of at least ${counted}`);
  const failed = gateway
    .logged()
    .filter(({ err, problem }) => err !== undefined || problem === 'internal-error');
  assert.deepEqual(failed, [], 'errors in the log');
}
