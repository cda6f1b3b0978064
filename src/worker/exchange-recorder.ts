import { type ItemFailure, ProblemError } from '../errors/problems.ts';
import type { MalformedRequest } from '../http/connection/client-error.ts';
import { dismiss } from '../http/connection/connection-state.ts';
import { clientHasLeft, type Exchange, type Recorded } from '../http/exchange.ts';
import { type ExchangeLog, type ExchangeLogSettings, exchangeLog } from '../http/exchange-log.ts';
import type { Logger } from '../log/types.ts';
import { HttpMetrics } from '../metrics/http.ts';
import { OutcomeMetrics } from '../metrics/outcomes.ts';
import type { MetricSink } from '../metrics/registry.ts';

/** For the benchmark of the cost (test/bench): a worker without figures and log lines of requests. */
const isOff = process.env['MCG_RECORDING'] === 'off';

/** Counts, measures and logs each exchange once: every `begin` is followed by exactly one `end`. */
export class ExchangeRecorder {
  readonly #metrics: HttpMetrics;
  readonly #outcomes: OutcomeMetrics;
  readonly #log: ExchangeLog;
  #inFlight = 0;

  constructor(registry: MetricSink, logger: Logger, settings: ExchangeLogSettings) {
    this.#metrics = new HttpMetrics(registry, () => this.#inFlight);
    this.#outcomes = new OutcomeMetrics(registry, (route, method) =>
      this.#metrics.requests(route, method),
    );
    this.#log = exchangeLog(logger, settings);
  }

  /** Requests that are being served. */
  get inFlight(): number {
    return this.#inFlight;
  }

  begin(): void {
    this.#inFlight += 1;
  }

  /** Call this when the last byte of the response has been sent, or the connection has closed. */
  end(exchange: Exchange): void {
    this.#inFlight -= 1;
    exchange.body?.drop();
    dismiss(exchange);
    const status = this.record(exchange);
    if (exchange.span !== undefined) exchange.span.end(exchange, status);
    if (exchange.timing !== undefined) exchange.timing.end();
  }

  /** Also for a refusal that never was in flight. Returns the status; 0 without a response. */
  record(exchange: Recorded): number {
    const { route, method, bytesIn, bytesOut, res } = exchange;
    const status = res.headersSent ? res.statusCode : 0;
    if (isOff) return status;
    const durationMs = performance.now() - exchange.startedMs;
    this.#metrics.observe(route, method, status, durationMs / 1000, bytesIn, bytesOut);
    if (clientHasLeft(exchange)) this.#metrics.clientGone(route);
    this.#countOutcome(exchange, status);
    this.#log.write(exchange, status, durationMs);
    return status;
  }

  /** Bytes that never became a request. */
  malformed(malformed: MalformedRequest): void {
    this.#outcomes.problem(malformed.problem);
    this.#log.malformed(malformed);
  }

  /** A single request that succeeds is counted by its duration alone. */
  #countOutcome(exchange: Recorded, status: number): void {
    const { problem, route, method, itemCount, failedItems } = exchange;
    if (problem !== undefined) this.#outcomes.problem(problem);
    const outcome = outcomeOf(exchange, status);
    if (itemCount !== undefined) {
      this.#outcomes.batch(route, itemCount, failedItems ?? outcome ?? 'aborted');
    } else if (outcome !== undefined) this.#outcomes.singleFailed(route, method, outcome);
  }

  /** Logs the counts of lines that were dropped; call this before the worker ends. */
  flush(): void {
    this.#log.flush();
  }
}

/** Undefined for a success. A failure after the head is known only by its error. */
function outcomeOf({ problem, error }: Recorded, status: number): ItemFailure | undefined {
  if (problem !== undefined) return problem;
  if (error !== undefined) return error instanceof ProblemError ? error.slug : 'internal-error';
  return status === 0 ? 'aborted' : undefined;
}
