import { chunksOf, MetaServiceError, membersOf, readText, tooLate } from './request.ts';
import { type Samples, samplesIn } from './samples.ts';

/** A member that the meta service does not know is absent. */
export interface MetaHealth {
  readonly role?: string;
  readonly haState?: string;
  readonly serviceReady?: boolean;
  readonly leaderAddress?: string;
  readonly viewVersion?: number;
}

export type MetaMedium = 'HBM' | 'DRAM' | 'SSD';

export interface MetaBytes {
  readonly medium: MetaMedium;
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export type MetaSegment = MetaBytes & { readonly serviceId: number };

/** Queries of single segments at a time. */
const SEGMENT_QUERIES = 8;
/** Several times the services and media of the largest pool. */
const MAX_SEGMENTS = 4096;

/** The read-only part of the meta service's HTTP (docs/engine-facts.md §11). Each method rejects with MetaServiceError. */
export class MetaService {
  readonly #url: string;
  readonly #deadlineMs: number;

  constructor(url: string, deadlineMs: number) {
    this.#url = url;
    this.#deadlineMs = deadlineMs;
  }

  /** 1.0.x says only that it runs. */
  async health(): Promise<MetaHealth> {
    const members = membersOf(await this.#text('/health')) ?? {};
    const { role, ha_state: haState, service_ready: serviceReady } = members;
    const { leader_address: leaderAddress, view_version: viewVersion } = members;
    return {
      ...(isKnown(role) ? { role } : {}),
      ...(isKnown(haState) ? { haState } : {}),
      ...(typeof serviceReady === 'boolean' ? { serviceReady } : {}),
      ...(isKnown(leaderAddress) ? { leaderAddress } : {}),
      ...(isCount(viewVersion) ? { viewVersion } : {}),
    };
  }

  async samples(): Promise<Samples> {
    return samplesIn(await this.#text('/metrics'));
  }

  /** The bytes of HBM and DRAM. */
  async usage(): Promise<readonly MetaBytes[]> {
    const members = membersOf(await this.#text('/api/v1/capacity/usage'));
    if (members === undefined || members['data_source_ready'] === false) {
      throw new MetaServiceError('it does not know its capacity yet');
    }
    const found = [bytesOf(members['npu'], 'HBM'), bytesOf(members['cpu'], 'DRAM')];
    const known = found.filter((bytes) => bytes !== undefined);
    if (known.length === 0) throw new MetaServiceError('it does not say its capacity');
    return known;
  }

  /** One request for each segment, all of them within the deadline. */
  async segments(): Promise<readonly MetaSegment[]> {
    const endMs = performance.now() + this.#deadlineMs;
    const names = new Set((await this.#text('/get_all_segments')).split('\n').filter(Boolean));
    if (names.size > MAX_SEGMENTS) throw new MetaServiceError('it lists too many segments');
    const left = [...names];
    const segments: MetaSegment[] = [];
    while (left.length > 0) {
      const remainingMs = endMs - performance.now();
      if (remainingMs <= 0) throw tooLate(this.#deadlineMs);
      const some = left.splice(0, SEGMENT_QUERIES);
      segments.push(...(await Promise.all(some.map((name) => this.#segment(name, remainingMs)))));
    }
    return segments;
  }

  /** Calls `take` with each line of the list of all keys: bytes of a chunk, which must be copied. */
  async eachKey(
    deadlineMs: number,
    take: (key: Buffer) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let rest: Buffer | undefined;
    for await (const chunk of chunksOf(`${this.#url}/get_all_keys`, deadlineMs, signal)) {
      const text: Buffer = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (let end = text.indexOf(LF); end >= 0; end = text.indexOf(LF, at)) {
        if (end - at > MAX_LINE_BYTES) throw lineTooLong();
        if (end > at) take(text.subarray(at, end));
        at = end + 1;
      }
      if (text.length - at > MAX_LINE_BYTES) throw lineTooLong();
      rest = at < text.length ? Buffer.from(text.subarray(at)) : undefined;
    }
    if (rest !== undefined) take(rest);
  }

  async #segment(name: string, deadlineMs: number): Promise<MetaSegment> {
    const place = placeOf(name);
    const query = `/query_segment?segment=${encodeURIComponent(name)}`;
    const text = await readText(this.#url + query, deadlineMs);
    const bytes = place && bytesOf(membersOf(text), place.medium);
    if (place === undefined || bytes === undefined) {
      throw new MetaServiceError('it describes a segment in an unknown form');
    }
    return { ...place, ...bytes };
  }

  #text(path: string): Promise<string> {
    return readText(this.#url + path, this.#deadlineMs);
  }
}

const lineTooLong = () => new MetaServiceError('a line of its list is too long');

const LF = 0x0a;
/** The engine accepts no longer keys. The memory of a page depends on it. */
const MAX_LINE_BYTES = 256;
const MEDIA: readonly MetaMedium[] = ['HBM', 'DRAM', 'SSD'];

export const mediumOf = (name: string): MetaMedium | undefined =>
  MEDIA.find((medium) => medium === name.toUpperCase());

/** The service and the medium in the name of a segment, such as `rank-0-dram`. */
export function placeOf(name: string): { serviceId: number; medium: MetaMedium } | undefined {
  const [, rank, word] = /^rank-(\d{1,10})-([a-z]+)$/.exec(name) ?? [];
  const medium = mediumOf(word ?? '');
  return rank === undefined || medium === undefined
    ? undefined
    : { serviceId: Number(rank), medium };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
/** It says `unknown` for a text that it does not know. */
const isKnown = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value !== 'unknown' && value.length <= 256;

function bytesOf(value: unknown, medium: MetaMedium): MetaBytes | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { total_bytes: totalBytes, used_bytes: usedBytes } = value as Record<string, unknown>;
  return isCount(totalBytes) && isCount(usedBytes) ? { medium, totalBytes, usedBytes } : undefined;
}
