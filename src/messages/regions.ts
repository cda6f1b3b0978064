/** Memory of clients: what the supervisor and the workers tell each other about it. */

/** Who a client is, as far as the kernel and its token say. */
export interface RegionClient {
  /** The user of a client of a Unix socket; null for one of a loopback address. */
  readonly uid: number | null;
  /** Id of its token; null without one. */
  readonly token: string | null;
  /** Whether it has the scope admin. */
  readonly isAdmin: boolean;
}

/** The client that has registered a region. */
export interface RegionOwner {
  readonly uid: number | null;
  readonly token: string | null;
  /** Its process; null where it is not known. The region ends with it. */
  readonly pid: number | null;
  /** When the process started, in the unit of /proc/PID/stat: another process may get its number. */
  readonly startTicks: string | null;
}

/** A region, for a worker that maps it. */
export interface RegionSpec {
  /** A name may be registered again; this number is never used again. */
  readonly generation: number;
  readonly name: string;
  readonly shmKey: string;
  readonly offset: number;
  readonly byteSize: number;
  /** The descriptor of the memory in the supervisor. */
  readonly descriptor: number;
  /** Device and inode of the memory. */
  readonly file: string;
  readonly owner: RegionOwner;
}

/**
 * The state of a region in one worker. `draining`: it is to be unmapped, and transfers are in flight.
 * `broken`: its client has truncated the memory.
 */
export type WorkerRegionState = 'mapped' | 'failed' | 'draining' | 'broken' | 'unmapped';

export type RegionState = 'registering' | 'ready' | 'draining' | 'broken';

/** A region as clients see it. */
export interface RegionView {
  readonly name: string;
  readonly shmKey: string;
  readonly offset: number;
  readonly byteSize: number;
  readonly state: RegionState;
  readonly inFlight: number;
  readonly owner: { readonly uid: number | null; readonly pid: number | null };
  readonly sinceMs: number;
  /** Until it is unregistered; null without a limit. */
  readonly ttlMs: number | null;
  readonly workers: readonly {
    readonly device: number;
    readonly state: WorkerRegionState | 'mapping';
    readonly detail?: string;
  }[];
}

export interface Registration {
  readonly name: string;
  readonly shmKey: string;
  readonly offset: number;
  readonly byteSize: number;
  readonly ttlMs: number | null;
  readonly owner: RegionOwner;
}

/** What a worker asks the supervisor for a client. */
export type RegionRequest =
  | { readonly ask: 'register'; readonly registration: Registration; readonly by: RegionClient }
  | { readonly ask: 'list' | 'removeAll'; readonly by: RegionClient }
  | { readonly ask: 'find' | 'remove'; readonly name: string; readonly by: RegionClient };

export type RegionReply =
  | { readonly regions: readonly RegionView[]; readonly isNew?: boolean }
  | { readonly problem: string; readonly detail: string };

/**
 * Whether a client may use a region: to read or overwrite the memory of another user is a right that the
 * gateway has and the client may not have.
 */
export const mayUse = (owner: RegionOwner, by: RegionClient): boolean =>
  owner.uid === by.uid && owner.token === by.token;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isOrNull = (value: unknown, check: (value: unknown) => boolean): boolean =>
  value === null || check(value);
const isString = (value: unknown): value is string => typeof value === 'string';

const isOwner = (value: unknown): boolean =>
  isRecord(value) &&
  ['uid', 'pid'].every((name) => isOrNull(value[name], isCount)) &&
  ['token', 'startTicks'].every((name) => isOrNull(value[name], isString));
const isClient = (value: unknown): boolean =>
  isRecord(value) &&
  isOrNull(value['uid'], isCount) &&
  isOrNull(value['token'], isString) &&
  typeof value['isAdmin'] === 'boolean';
const isRange = (value: Record<string, unknown>): boolean =>
  isString(value['name']) &&
  isString(value['shmKey']) &&
  isCount(value['offset']) &&
  isCount(value['byteSize']);

export const isRegionSpec = (value: unknown): value is RegionSpec =>
  isRecord(value) &&
  isRange(value) &&
  isCount(value['generation']) &&
  isCount(value['descriptor']) &&
  isString(value['file']) &&
  isOwner(value['owner']);

export function isRegionRequest(value: unknown): value is RegionRequest {
  if (!isRecord(value) || !isClient(value['by'])) return false;
  const { ask, name, registration } = value;
  if (ask === 'list' || ask === 'removeAll') return true;
  if (ask === 'find' || ask === 'remove') return isString(name);
  if (ask !== 'register' || !isRecord(registration) || !isRange(registration)) return false;
  return isOrNull(registration['ttlMs'], isCount) && isOwner(registration['owner']);
}

export const isRegionReply = (value: unknown): value is RegionReply =>
  isRecord(value) && (Array.isArray(value['regions']) || isString(value['problem']));

const states: readonly unknown[] = ['mapped', 'failed', 'draining', 'broken', 'unmapped'];
export const isWorkerRegionState = (value: unknown): value is WorkerRegionState =>
  states.includes(value);

/** Transfers in flight by generation. */
export const isRegionCounts = (value: unknown): value is Readonly<Record<string, number>> =>
  isRecord(value) && Object.values(value).every(isCount);
