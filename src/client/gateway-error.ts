/** The problem of a failed request, as an error. */
export interface Problem {
  /** The kind, such as `object-not-found`: the last part of the problem's `type`. */
  readonly slug: string;
  readonly status: number;
  readonly detail: string;
  /** Code and name of the engine, if there was an engine call. */
  readonly code: number | undefined;
  readonly name: string | undefined;
  /** Whether the same request can succeed later. For a change, only the gateway itself knows that. */
  readonly retryable: boolean;
  /** Milliseconds to wait before a retry, if the gateway sent them. */
  readonly retryAfterMs: number | undefined;
  /** The id of the request in the gateway's log. */
  readonly requestId: string | undefined;
}

/** Thrown for every response that is a problem; `slug` is its stable kind. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.slug} (${problem.status}): ${problem.detail}`);
    this.problem = problem;
  }

  get slug(): string {
    return this.problem.slug;
  }

  get status(): number {
    return this.problem.status;
  }

  get retryable(): boolean {
    return this.problem.retryable;
  }
}

export const slugOf = (type: unknown, status: number): string =>
  typeof type === 'string' ? type.slice(type.lastIndexOf('/') + 1) : `status-${status}`;

const numberOr = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;
const textOr = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

/**
 * The problem in a response; the error page of a proxy has the kind `status-502` or similar. A proxy
 * sends it when the gateway is unreachable, but also when the connection broke after the gateway got the
 * request. A change may have happened then, so only a `safe` call is retryable.
 */
export async function problemOf(response: Response, safe: boolean): Promise<Problem> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const seconds = headers.get('retry-after');
  const retryAfterMs =
    seconds === null || !/^\d+$/.test(seconds) ? undefined : Number(seconds) * 1000;
  const members = membersOf(text);
  const retryable = members?.['retryable'];
  return {
    slug: slugOf(members?.['type'], status),
    status,
    detail: textOr(members?.['detail']) ?? response.statusText,
    code: numberOr(members?.['code']),
    name: textOr(members?.['name']),
    retryable:
      typeof retryable === 'boolean' ? retryable : safe && (status === 502 || status === 503),
    retryAfterMs,
    requestId: textOr(members?.['requestId']) ?? headers.get('x-request-id') ?? undefined,
  };
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
