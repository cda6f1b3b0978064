import { ProblemError } from '../../errors/problems.ts';
import {
  type MetaBytes,
  type MetaSegment,
  MetaService,
  mediumOf,
  placeOf,
} from '../../meta-service/meta-service.ts';
import { MetaServiceError } from '../../meta-service/request.ts';
import type { Samples } from '../../meta-service/samples.ts';
import { whileConnected } from '../../scheduler/arena-room.ts';
import { LowestKeys } from './lowest-keys.ts';
import { type EvictionRule, lately, roomOf } from './pool-room.ts';
import type { KeyPage, KeyRange, PoolCapacity, PoolHealth, PoolSource } from './pool-source.ts';
import { remembered } from './remembered.ts';
import { Turns } from './turns.ts';

/** Shorter than the time that a scrape waits for a worker, so that a slow meta service delays no other metric. */
const FIGURES_MS = 1000;
const FRESH_MS = 1000;
/** With what `remembered` adds, the figures of a refused put are at most this old plus FRESH_MS. */
const ROOM_AGE_MS = 3000;
/** Lists of keys at a time: each reads the names of all objects. */
const LISTS = 2;
const BUSY = new MetaServiceError('other lists of keys take too long');

const TOTAL_BYTES = 'memcache_total_capacity_bytes';
const USED_BYTES = 'memcache_allocated_bytes';
const SEGMENT_BYTES = 'memcache_segment_capacity_bytes';
const SEGMENT_USED_BYTES = 'memcache_segment_allocated_bytes';
const OBJECTS = 'memcache_stored_keys';
const EVICTIONS = 'memcache_evict_operations_total';

/** The pool of the distributed engine, as its meta service reports it over HTTP. */
export function metaPool(url: string, listDeadlineMs: number, rule: EvictionRule): PoolSource {
  const service = new MetaService(url, FIGURES_MS);
  const lists = new Turns(LISTS);
  const samples = remembered(FRESH_MS, () => service.samples());
  const usage = remembered(FRESH_MS, () => service.usage());
  const queried = remembered(FRESH_MS, () => service.segments());
  const health = remembered(FRESH_MS, () => service.health());
  const capacity = async (): Promise<PoolCapacity> => {
    const [asked, sampled] = await Promise.allSettled([usage(), samples()]);
    const found = capacityOf(fulfilled(asked), fulfilled(sampled));
    return found ?? fail((asked as PromiseRejectedResult).reason);
  };
  const recently = lately(ROOM_AGE_MS, capacity);
  return {
    capacity,
    room() {
      const known = recently();
      return known && roomOf(known, rule);
    },
    async segments() {
      const found = await samples().then(segmentsOf, () => []);
      const segments = found.length > 0 ? found : await queried().catch(fail);
      return [...segments].sort(byService);
    },
    async health(): Promise<PoolHealth> {
      const found = await health().catch(fail);
      const status = found.serviceReady === false ? 'degraded' : 'ok';
      return { status, metaService: { reachable: true, ...found } };
    },
    keys: (range, caller) =>
      whileConnected(caller, async (left) => {
        const late = AbortSignal.timeout(listDeadlineMs);
        const turn = lists.take(AbortSignal.any([left, late]), () =>
          listKeys(service, range, listDeadlineMs, left),
        );
        return turn.catch((error: unknown) => (error === late.reason ? fail(BUSY) : fail(error)));
      }),
  };
}

async function listKeys(
  service: MetaService,
  range: KeyRange,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<KeyPage> {
  const lowest = new LowestKeys(range);
  try {
    await service.eachKey(deadlineMs, (key) => lowest.add(key), signal);
  } catch (error) {
    signal.throwIfAborted();
    return fail(error);
  }
  return lowest.page();
}

const fulfilled = <T>(settled: PromiseSettledResult<T>): T | undefined =>
  settled.status === 'fulfilled' ? settled.value : undefined;

/** SSD is only among the samples. Undefined if no source knows the bytes. */
function capacityOf(
  usage: readonly MetaBytes[] | undefined,
  samples: Samples | undefined,
): PoolCapacity | undefined {
  const sampled = bytesOf(samples);
  const asked = usage ?? [];
  const others = sampled.filter(({ medium }) => asked.every((each) => each.medium !== medium));
  if (usage === undefined && sampled.length === 0) return undefined;
  const objects = samples?.get(OBJECTS)?.get('');
  const evictions = samples?.get(EVICTIONS)?.get('');
  return {
    media: [...asked, ...others]
      .filter(({ totalBytes }) => totalBytes > 0)
      .map(({ medium, totalBytes, usedBytes }) => ({
        ...{ medium, totalBytes, usedBytes },
        freeBytes: Math.max(0, totalBytes - usedBytes),
      })),
    ...(objects === undefined ? {} : { objects }),
    ...(evictions === undefined ? {} : { evictions }),
  };
}

function bytesOf(samples: Samples | undefined): MetaBytes[] {
  const used = samples?.get(USED_BYTES);
  return [...(samples?.get(TOTAL_BYTES) ?? [])].flatMap(([name, totalBytes]) => {
    const medium = mediumOf(name);
    const usedBytes = used?.get(name);
    return medium === undefined || usedBytes === undefined
      ? []
      : [{ medium, totalBytes, usedBytes }];
  });
}

function segmentsOf(samples: Samples): MetaSegment[] {
  const used = samples.get(SEGMENT_USED_BYTES);
  return [...(samples.get(SEGMENT_BYTES) ?? [])].flatMap(([name, totalBytes]) => {
    const place = placeOf(name);
    const usedBytes = used?.get(name);
    return place === undefined || usedBytes === undefined
      ? []
      : [{ ...place, totalBytes, usedBytes }];
  });
}

const byService = (left: MetaSegment, right: MetaSegment): number =>
  left.serviceId - right.serviceId || (left.medium < right.medium ? -1 : 1);

function fail(error: unknown): never {
  if (!(error instanceof MetaServiceError)) throw error;
  throw new ProblemError('meta-service-unavailable', {
    detail: `The meta service did not report: ${error.message}.`,
    members: { metaService: { reachable: false } },
    cause: error,
  });
}
