import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Dictionary, parseDictionary, serializeDictionary } from 'structured-headers';
import { ClientGoneError } from '../../errors/client-gone.ts';
import { ProblemError } from '../../errors/problems.ts';
import { invalidParameter } from './query.ts';

/** RFC 9530's active algorithms, strongest first, with their names in node:crypto. */
const ALGORITHMS = { 'sha-512': 'sha512', 'sha-256': 'sha256' } as const;
type Algorithm = keyof typeof ALGORITHMS;
const DIGEST_BYTES: Record<Algorithm, number> = { 'sha-512': 64, 'sha-256': 32 };
/** Bytes that are hashed before other requests get their turn; about 0.7 ms. */
const SLICE_BYTES = 1 << 20;

const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(ALGORITHMS, name);

/** Hashes a body as it arrives and compares at its end. */
export interface DigestCheck {
  update(chunk: Uint8Array): void;
  /** Throws `digest-mismatch`. */
  verify(): void;
}

/**
 * Reads Content-Digest (RFC 9530 §2). Undefined without the header. A header with no algorithm that
 * can be checked is refused: the gateway must not store a body without the check that the client requires.
 */
export function contentDigestCheck(header: string | undefined): DigestCheck | undefined {
  if (header === undefined) return undefined;
  const checks: { name: Algorithm; hash: Hash; expected: Buffer }[] = [];
  for (const [name, [value]] of dictionary('Content-Digest', header)) {
    if (!isAlgorithm(name)) continue;
    const expected = value instanceof ArrayBuffer ? Buffer.from(value) : undefined;
    if (expected?.length !== DIGEST_BYTES[name]) {
      throw invalidParameter(
        `Content-Digest: ${name} takes ${DIGEST_BYTES[name]} bytes in base64 between colons.`,
      );
    }
    checks.push({ name, hash: createHash(ALGORITHMS[name]), expected });
  }
  if (checks.length === 0) {
    throw invalidParameter('Content-Digest: only sha-256 and sha-512 can be verified.');
  }
  return {
    update: (chunk) => {
      for (const check of checks) check.hash.update(chunk);
    },
    verify: () => {
      for (const { name, hash, expected } of checks) {
        const actual = hash.digest();
        if (actual.equals(expected)) continue;
        throw new ProblemError('digest-mismatch', {
          detail: `The body's ${name} is ${actual.toString('base64')}, not ${expected.toString('base64')}.`,
        });
      }
    },
  };
}

/** The check that a request requires, as `contentDigestCheck`. */
export const digestOf = ({ headers }: IncomingMessage): DigestCheck | undefined =>
  contentDigestCheck(headers['content-digest'] as string | undefined);

/**
 * The algorithm that Want-Repr-Digest (RFC 9530 §4) prefers among ours, or undefined when it wants
 * none of them: the header is a preference, so a form that cannot be read is ignored.
 */
export function wantedDigest(header: string | undefined): Algorithm | undefined {
  if (header === undefined) return undefined;
  let best: { name: Algorithm; weight: number } | undefined;
  try {
    for (const [name, [weight]] of parseDictionary(header)) {
      if (!isAlgorithm(name) || typeof weight !== 'number' || weight <= 0) continue;
      if (best === undefined || weight > best.weight) best = { name, weight };
    }
  } catch {
    return undefined;
  }
  return best?.name;
}

/**
 * The value of Repr-Digest for `bytes`, hashed in slices between which other requests are served.
 * Rejects with ClientGoneError when the client has disconnected between two of them.
 */
export async function reprDigest(
  algorithm: Algorithm,
  bytes: Uint8Array,
  hasLeft: () => boolean,
): Promise<string> {
  const hash = createHash(ALGORITHMS[algorithm]);
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await nextTurn();
    if (hasLeft()) throw new ClientGoneError();
    hash.update(bytes.subarray(at, at + SLICE_BYTES));
  }
  const digest = new Uint8Array(hash.digest()).buffer;
  return serializeDictionary(new Map([[algorithm, [digest, new Map()]]]));
}

function dictionary(name: string, header: string): Dictionary {
  try {
    return parseDictionary(header);
  } catch {
    throw invalidParameter(`${name} is not a structured-field dictionary (RFC 9530).`);
  }
}
