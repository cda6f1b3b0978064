/** What the gateway said about a request that failed: its problem, as an error. */
export interface Problem {
  /** The kind, such as `object-not-found`: the last part of the problem's `type`. */
  readonly slug: string;
  readonly status: number;
  readonly detail: string;
  /** The engine's code and its name, where the engine was asked. */
  readonly code: number | undefined;
  readonly name: string | undefined;
  /** Whether the same request can succeed later; of a change only the gateway itself can say so. */
  readonly retryable: boolean;
  /** Milliseconds to wait before that, where the gateway said so. */
  readonly retryAfterMs: number | undefined;
  /** By which the gateway's log names the request. */
  readonly requestId: string | undefined;
}

/** Thrown for every answer that is a problem; `slug` tells which, and stays as it is between versions. */
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
 * The problem in an answer; a proxy's own error page is one of kind `status-502` or so. That is what
 * proxies answer while the gateway is away, but also when it broke off behind a request that it had
 * been given: of a change nobody knows then whether it happened, so only a `safe` call is retryable.
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
