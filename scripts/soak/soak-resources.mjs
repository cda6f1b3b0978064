/** What a gateway without load uses, and whether it uses more than before. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { childrenOf, poolOf } from '../../test/helpers/process/gateway.ts';
import {
  metricsOf,
  requestsInFlight,
  usedBlocks,
  usedBytes,
} from '../../test/helpers/process/metrics.ts';
import { until } from '../../test/helpers/process/until.ts';

const mebibyte = 2 ** 20;

/** Growth that is no leak: code that is compiled later, and buffers that V8 keeps. */
const growthLimits = {
  supervisorBytes: 16 * mebibyte,
  workerBytes: 64 * mebibyte,
  supervisorDescriptors: 4,
  workerDescriptors: 8,
  sharedFiles: 0,
  sharedBytes: 0,
};

const residentBytes = (pid) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);

/** Waits until all workers serve, all blocks are free and no request is in flight; then measures. */
export async function resourcesAtRest(gateway, admin, workers) {
  const isAtRest = async () => {
    const now = await metricsOf(admin);
    const up = [...now].filter(([name]) => name.startsWith('memcache_gateway_worker_up'));
    const isZero = (name) => now.get(name) === 0;
    return (
      up.filter(([, value]) => value === 1).length === workers &&
      [usedBytes, usedBlocks, requestsInFlight].every(isZero)
    );
  };
  await until(isAtRest, { deadlineMs: 60_000, what: 'all workers serve, and no block is in use' });
  const { pid } = gateway;
  const pids = childrenOf(pid);
  const shared = sharedFiles(poolOf(pids[0]));
  return {
    supervisorBytes: residentBytes(pid),
    workerBytes: sum(pids, residentBytes),
    supervisorDescriptors: descriptors(pid),
    workerDescriptors: sum(pids, descriptors),
    sharedFiles: shared.length,
    sharedBytes: shared.reduce((total, name) => total + statSync(`/dev/shm/${name}`).size, 0),
  };
}

/** The files of a pool in shared memory. */
export const sharedFiles = (pool) =>
  pool === '' ? [] : readdirSync('/dev/shm').filter((name) => name.startsWith(pool));

/** A sentence for each resource of which there is more than before. */
export const growth = (before, after) =>
  Object.entries(growthLimits)
    .filter(([name, limit]) => after[name] - before[name] > limit)
    .map(([name]) => `${name} grew from ${before[name]} to ${after[name]}`);
