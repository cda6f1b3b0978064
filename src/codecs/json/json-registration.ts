import { JsonReader } from './json-reader.ts';
import { noteMember, unknownMember } from './json-request.ts';

/** Longest life of a registration: a timer in JavaScript has no longer one. */
const MAX_TTL_MS = 2 ** 31 - 1;

export interface JsonRegistration {
  readonly shmKey: string;
  readonly offset: number;
  readonly byteSize: number;
  /** Null without a limit. */
  readonly ttlMs: number | null;
}

/** The body of a registration: `{"shmKey":"/my-region","offset":0,"byteSize":4096}`. */
export async function readRegistration(text: Buffer): Promise<JsonRegistration> {
  const reader = await JsonReader.open(text, 'The body');
  const members = new Set<string>();
  let shmKey: string | undefined;
  const numbers: { offset?: number; byteSize?: number; ttlMs?: number } = {};
  await reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'shmKey') shmKey = reader.string();
    else if (name === 'offset' || name === 'byteSize' || name === 'ttlMs') {
      numbers[name] = reader.integer();
    } else throw unknownMember(reader, name, 'shmKey, offset, byteSize, ttlMs');
  });
  await reader.end();
  const { offset = 0, byteSize, ttlMs } = numbers;
  if (shmKey === undefined || byteSize === undefined) {
    throw reader.fault('needs "shmKey" and "byteSize"');
  }
  requireAtLeast(reader, 'offset', offset, 0);
  requireAtLeast(reader, 'byteSize', byteSize, 1);
  if (ttlMs !== undefined && (ttlMs < 1 || ttlMs > MAX_TTL_MS)) {
    throw reader.fault(`has a "ttlMs" that is not from 1 to ${MAX_TTL_MS}`);
  }
  return { shmKey, offset, byteSize, ttlMs: ttlMs ?? null };
}

function requireAtLeast(reader: JsonReader, name: string, value: number, least: number): void {
  if (value < least) throw reader.fault(`has a "${name}" below ${least}`);
}
