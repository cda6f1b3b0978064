import { type ProblemSlug, problemSlugs } from './generated/problem-slugs.ts';

/**
 * The kind of a problem. It is `status-502` or similar if the response names no kind that this client
 * knows, as the error page of a proxy does.
 */
export type ProblemKind = ProblemSlug | `status-${number}`;

/** The members of a problem. */
export interface ProblemDetails {
  readonly problem: ProblemKind;
  readonly status: number;
  readonly detail: string;
  /** The engine's name for its result code, such as `MMC_DUPLICATED_OBJECT`, if there was an engine call. */
  readonly code?: string | undefined;
  /** The engine's result code. */
  readonly errno?: number | undefined;
  /** Whether the same request can succeed later. For a change, only the gateway itself knows that. */
  readonly retryable: boolean;
  /** Milliseconds to wait before a retry, if the gateway sent them. */
  readonly retryAfterMs?: number | undefined;
  /** The id of the request in the gateway's log. */
  readonly requestId?: string | undefined;
  /** The `type` of the response as it was sent. */
  readonly type?: string | undefined;
}

/** Thrown for every response that is a problem; `problem` is its stable kind. */
export class GatewayError extends Error implements ProblemDetails {
  override readonly name = 'GatewayError';
  readonly problem: ProblemKind;
  readonly status: number;
  readonly detail: string;
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  readonly type: string | undefined;

  constructor(details: ProblemDetails) {
    super(`${details.problem} (${details.status}): ${details.detail}`);
    this.problem = details.problem;
    this.status = details.status;
    this.detail = details.detail;
    this.code = details.code;
    this.errno = details.errno;
    this.retryable = details.retryable;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    this.type = details.type;
  }
}

/** Whether an error says that no object has the key: another 404 can mean that there is no gateway. */
export const isMissing = (error: unknown, missing: ProblemSlug = 'object-not-found'): boolean =>
  error instanceof GatewayError && error.problem === missing;

/** Undefined if no object has the key, or no buffer the name. */
export async function undefinedIfMissing<Done>(
  work: Promise<Done>,
  missing?: ProblemSlug,
): Promise<Done | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error, missing)) return undefined;
    throw error;
  }
}

const isSlug = (text: string): text is ProblemSlug =>
  (problemSlugs as readonly string[]).includes(text);

/** The kind is the last part of the problem's `type`. */
export function kindOf(type: string | undefined, status: number): ProblemKind {
  const slug = type?.slice(type.lastIndexOf('/') + 1) ?? '';
  return isSlug(slug) ? slug : `status-${status}`;
}

const numberOr = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;
const textOr = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

/**
 * The problem in a response. A proxy sends a page of its own when the gateway is unreachable, but also
 * when the connection broke after the gateway got the request. A change may have happened then, so only a
 * `safe` call is retryable.
 */
export async function errorOf(response: Response, safe: boolean): Promise<GatewayError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const seconds = headers.get('retry-after');
  const members = membersOf(text);
  const retryable = members?.['retryable'];
  const type = textOr(members?.['type']);
  return new GatewayError({
    problem: kindOf(type, status),
    status,
    detail: textOr(members?.['detail']) ?? response.statusText,
    code: textOr(members?.['name']),
    errno: numberOr(members?.['code']),
    retryable:
      typeof retryable === 'boolean' ? retryable : safe && (status === 502 || status === 503),
    retryAfterMs: seconds === null || !/^\d+$/.test(seconds) ? undefined : Number(seconds) * 1000,
    requestId: textOr(members?.['requestId']) ?? headers.get('x-request-id') ?? undefined,
    type,
  });
}

function membersOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
