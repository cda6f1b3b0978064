import { codeMeaning, codeName } from '../../errors/engine-codes.ts';

/** The engine returned a code other than 0. `operation` is the call, never the key. */
export class MmcError extends Error {
  override readonly name = 'MmcError';
  /** The name of the engine's code, such as `MMC_UNMATCHED_KEY`. */
  readonly code: string;
  /** The engine's code, such as −3102. */
  readonly errno: number;
  readonly operation: string;

  constructor(errno: number, operation: string, detail: string = codeMeaning(errno)) {
    super(`${operation}: ${codeName(errno)} (${errno}): ${detail}`);
    this.code = codeName(errno);
    this.errno = errno;
    this.operation = operation;
  }
}

/** The engine has not returned in time. The call continues and holds its slot and its blocks. */
export class EngineDeadlineError extends Error {
  override readonly name = 'EngineDeadlineError';
  readonly operation: string;
  readonly deadlineMs: number;

  constructor(operation: string, deadlineMs: number) {
    super(`${operation}: the engine has not returned within ${deadlineMs} ms`);
    this.operation = operation;
    this.deadlineMs = deadlineMs;
  }
}

/** Calls past their deadline hold every call slot. No call is possible until one returns or is replaced. */
export class EngineStuckError extends Error {
  override readonly name = 'EngineStuckError';
  readonly operation: string;

  constructor(operation: string, slots: number) {
    super(`${operation}: calls past their deadline hold all ${slots} call slots`);
    this.operation = operation;
  }
}

/** The client is closed or closing; native code is not called again. */
export class EngineClosedError extends Error {
  override readonly name = 'EngineClosedError';

  constructor(operation: string) {
    super(`${operation}: the client is not open`);
  }
}

/** The library could not be loaded, initialised or tested; `advice` says what to do. */
export class EngineLoadError extends Error {
  override readonly name = 'EngineLoadError';
  readonly advice: string;
  /** The name of the engine's code, if an engine call failed. */
  readonly code: string | undefined;
  /** The engine's code, if an engine call failed. */
  readonly errno: number | undefined;

  constructor(problem: string, advice: string, options: { cause?: unknown; errno?: number } = {}) {
    super(`${problem}\n${advice}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.advice = advice;
    this.errno = options.errno;
    this.code = options.errno === undefined ? undefined : codeName(options.errno);
  }
}

/** The arena had no memory within the allowed time. */
export class ArenaFullError extends Error {
  override readonly name = 'ArenaFullError';
  readonly bytes: number;
  readonly deadlineMs: number;
  /** Whether the peer held its share, so that others were served before it. */
  readonly isOwnShare: boolean;

  constructor(bytes: number, deadlineMs: number, isOwnShare = false) {
    super(`no memory for ${bytes} bytes in the arena within ${deadlineMs} ms`);
    this.bytes = bytes;
    this.deadlineMs = deadlineMs;
    this.isOwnShare = isOwnShare;
  }
}

/**
 * The engine reported success twice for a read, but left bytes unwritten or took so long that its lease
 * may have ended (docs/engine-facts.md §5). Retryable.
 */
export class UntrustedReadError extends Error {
  override readonly name = 'UntrustedReadError';
  readonly operation: string;

  constructor(operation: string) {
    super(`${operation}: the engine reported success twice, but the bytes cannot be trusted`);
    this.operation = operation;
  }
}
