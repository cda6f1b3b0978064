import { closeSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Registration } from '../../messages/regions.ts';
import { memoryNameFault, openMemoryFile } from '../../os/memory-files.ts';
import type { RegionRecord } from './region-record.ts';

/** Each takes a descriptor in every process, and a place in the table of the signal handler. */
export const MAX_REGIONS = 256;

export interface Refusal {
  readonly problem: string;
  readonly detail: string;
}

interface OpenRegion {
  readonly descriptor: number;
  readonly file: string;
}

type Rules = Pick<
  Config,
  'sharedBufferNames' | 'sharedBufferBytes' | 'sharedBufferOwners' | 'poolName'
>;

/** Whether a name may be registered again; a region that is in use may not be replaced. */
export function canReplace({ state, spec }: RegionRecord): Refusal | undefined {
  if (state === 'draining') return { problem: 'buffer-draining', detail: '' };
  if (state !== 'registering') return undefined;
  return { problem: 'buffer-exists', detail: `The buffer ${spec.name} is being registered.` };
}

/** Opens the memory of a client, or says why it cannot be registered. `used`: regions in memory. */
export function openRegion(
  registration: Registration,
  rules: Rules,
  used: readonly RegionRecord[],
  known: RegionRecord | undefined,
): OpenRegion | Refusal {
  const { shmKey, offset, byteSize, owner } = registration;
  const fault = memoryNameFault(shmKey) ?? nameRefusal(shmKey, rules);
  if (fault !== undefined) return refused(`The name ${fault}.`);
  const opened = openMemoryFile(shmKey);
  if (typeof opened === 'string') return refused(`The shared memory ${shmKey} ${opened}.`);
  const { descriptor, file, uid, bytes } = opened;
  const refusal =
    ownerRefusal(uid, owner.uid, rules) ??
    sizeRefusal(offset, byteSize, bytes) ??
    differs(registration, file, known) ??
    (known?.state === 'ready' ? undefined : fullness(byteSize, used, rules));
  if (refusal === undefined) return { descriptor, file };
  closeSync(descriptor);
  return refusal;
}

const refused = (detail: string): Refusal => ({ problem: 'buffer-refused', detail });

/** Pools of the embedded engine are shared memory too, with the objects of all clients. */
function nameRefusal(shmKey: string, { sharedBufferNames, poolName }: Rules): string | undefined {
  const isPool =
    shmKey.startsWith('/mcg-') || (poolName !== undefined && shmKey === `/${poolName}`);
  if (isPool) return 'belongs to a pool of the embedded engine';
  if (namesMemory(sharedBufferNames, shmKey)) return undefined;
  return 'matches none of --shared-buffer-names';
}

function ownerRefusal(uid: number, client: number | null, rules: Rules): Refusal | undefined {
  const { sharedBufferOwners: named } = rules;
  const allowed = named.length > 0 ? named.map(Number) : [process.getuid?.() ?? 0];
  if (client === null ? allowed.includes(uid) : client === uid) return undefined;
  return refused(
    `The shared memory belongs to the user ${uid}, ${
      client === null
        ? 'who is not one of --shared-buffer-owners'
        : `and the client is the user ${client}`
    }.`,
  );
}

/** Subtracts, because a sum of large numbers is not exact. */
function sizeRefusal(offset: number, byteSize: number, bytes: number): Refusal | undefined {
  if (offset <= bytes && byteSize <= bytes - offset) return undefined;
  return refused(
    `The shared memory has ${bytes} bytes, too few for ${byteSize} from offset ${offset} on.`,
  );
}

/** The same registration again is a success, as it is for the engine. */
function differs(
  { name, offset, byteSize }: Registration,
  file: string,
  known: RegionRecord | undefined,
): Refusal | undefined {
  if (known?.state !== 'ready') return undefined;
  const { spec } = known;
  const isSame = spec.file === file && spec.offset === offset && spec.byteSize === byteSize;
  if (isSame) return undefined;
  const detail = `The buffer ${name} is registered with other memory, or another part of it. Remove it first.`;
  return { problem: 'buffer-exists', detail };
}

function fullness(
  byteSize: number,
  used: readonly RegionRecord[],
  { sharedBufferBytes: most }: Rules,
): Refusal | undefined {
  const bytes = used.reduce((sum, { spec }) => sum + spec.byteSize, 0);
  if (used.length >= MAX_REGIONS) {
    return { problem: 'buffers-full', detail: `At most ${MAX_REGIONS} buffers can be registered.` };
  }
  if (byteSize <= most - bytes) return undefined;
  const detail = `${bytes} of ${most} bytes are registered (--shared-buffer-bytes).`;
  return { problem: 'buffers-full', detail };
}

/** Whether one of the patterns names this shared memory. */
export const namesMemory = (patterns: readonly string[], shmKey: string): boolean =>
  patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 's').test(shmKey);
  });
