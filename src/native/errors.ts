import { codeMeaning, codeName } from './codes.ts';

/** The engine answered a code other than 0. `operation` is the call, never the key. */
export class MmcError extends Error {
  /** The code's name, such as MMC_UNMATCHED_KEY; `instanceof` tells the class. */
  override readonly name: string;
  readonly code: number;
  readonly operation: string;

  constructor(code: number, operation: string, detail: string = codeMeaning(code)) {
    super(`${operation}: ${codeName(code)} (${code}): ${detail}`);
    this.code = code;
    this.name = codeName(code);
    this.operation = operation;
  }
}

/** The engine has not answered in time; the call goes on, and keeps its slot and its blocks. */
export class EngineDeadlineError extends Error {
  override readonly name = 'EngineDeadlineError';
  readonly operation: string;
  readonly deadlineMs: number;

  constructor(operation: string, deadlineMs: number) {
    super(`${operation}: the engine has not answered within ${deadlineMs} ms`);
    this.operation = operation;
    this.deadlineMs = deadlineMs;
  }
}

/** Every call slot is held by a call past its deadline: nothing can be asked until one returns or is substituted. */
export class EngineStuckError extends Error {
  override readonly name = 'EngineStuckError';
  readonly operation: string;

  constructor(operation: string, slots: number) {
    super(`${operation}: all ${slots} call slots are held by calls past their deadline`);
    this.operation = operation;
  }
}

/** The client is closed, or closing: native code is not called again. */
export class EngineClosedError extends Error {
  override readonly name = 'EngineClosedError';

  constructor(operation: string) {
    super(`${operation}: the client is not open`);
  }
}

/** The library could not be loaded, initialised or proved; `advice` says how to mend it. */
export class EngineLoadError extends Error {
  override readonly name = 'EngineLoadError';
  readonly advice: string;
  /** The engine's code, where a call to it failed. */
  readonly code: number | undefined;

  constructor(problem: string, advice: string, options: { cause?: unknown; code?: number } = {}) {
    super(`${problem}\n${advice}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.advice = advice;
    this.code = options.code;
  }
}

/** No room in the arena within the time the caller allowed. */
export class ArenaFullError extends Error {
  override readonly name = 'ArenaFullError';
  readonly bytes: number;
  readonly deadlineMs: number;

  constructor(bytes: number, deadlineMs: number) {
    super(`no room for ${bytes} bytes in the arena within ${deadlineMs} ms`);
    this.bytes = bytes;
    this.deadlineMs = deadlineMs;
  }
}

/**
 * A read that the engine called a success twice, but that left bytes unwritten or took so long that
 * its lease may have ended (engine.md §2). Worth trying again later.
 */
export class UntrustedReadError extends Error {
  override readonly name = 'UntrustedReadError';
  readonly operation: string;

  constructor(operation: string) {
    super(`${operation}: the engine reported success twice, but the bytes cannot be trusted`);
    this.operation = operation;
  }
}
