import type { ProblemSlug } from '../../../src/errors/problems.ts';

export interface CodeRow {
  readonly code: number;
  readonly slug: ProblemSlug;
  readonly status: number;
  /** 'reads': the outcome of a write is unknown, so a blind retry does not help. */
  readonly retryable: boolean | 'reads';
  /** Set when Retry-After differs from `retryable`. */
  readonly retryAfter?: boolean;
}

const row = (
  code: number,
  slug: ProblemSlug,
  status: number,
  retryable: CodeRow['retryable'],
): CodeRow => ({ code, slug, status, retryable });

/**
 * The table of src/errors/engine-codes.ts, written again and independently of src: the engine's code
 * and our response.
 */
export const engineCodeTable: readonly CodeRow[] = [
  row(-1, 'engine-error', 500, false),
  row(-3000, 'engine-invalid-parameter', 400, false),
  row(-3001, 'engine-out-of-resources', 503, true),
  row(-3002, 'engine-out-of-resources', 503, true),
  row(-3003, 'engine-unavailable', 503, true),
  row(-3004, 'engine-timeout', 504, 'reads'),
  row(-3005, 'repeated-call', 409, false),
  row(-3006, 'object-exists', 409, false),
  row(-3007, 'object-being-written', 404, true),
  row(-3008, 'engine-unavailable', 503, true),
  row(-3009, 'engine-network-fault', 502, true),
  row(-3010, 'engine-network-fault', 502, true),
  row(-3011, 'engine-network-fault', 502, true),
  row(-3013, 'no-room', 507, true),
  row(-3014, 'engine-unavailable', 503, true),
  row(-3015, 'engine-fault', 502, false),
  row(-3016, 'no-room', 507, true),
  row(-3017, 'engine-unavailable', 503, true),
  row(-3018, 'engine-unavailable', 503, true),
  row(-3019, 'engine-unavailable', 503, true),
  row(-3020, 'ssd-unavailable', 503, true),
  row(-3101, 'unmatched-state', 409, true),
  row(-3102, 'object-not-found', 404, false),
  row(-3103, 'engine-error', 500, false),
  row(-3104, 'lease-active', 423, true),
  row(-3105, 'engine-error', 500, false),
  row(-3106, 'lease-expired', 503, true),
  row(-3107, 'range-already-written', 409, false),
  // Codes of the transport, outside the documented table.
  row(-2, 'engine-fault', 502, false),
  row(-3, 'engine-fault', 502, false),
  row(-6, 'engine-fault', 502, false),
  row(-2000, 'engine-fault', 502, false),
  row(1, 'engine-fault', 502, false),
];
