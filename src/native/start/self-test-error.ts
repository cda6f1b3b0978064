import { MMC_TIMEOUT, MMC_UNUSABLE_POOL } from '../../errors/engine-codes.ts';
import { EngineDeadlineError, EngineLoadError, MmcError } from '../abi/errors.ts';

const unusablePoolAdvice = [
  'This pool accepts clients but moves no data for them: the client with id 0 has left it while',
  'others stayed (engine: later joiners get -2 from every put and get). Restart all clients of the',
  'pool; no single client can repair it.',
].join('\n');

const selfTestAdvice =
  'The engine was initialised but could not put, get and remove an object: see its own log.';

/** An error with advice for a call of the self-test that failed, or did not return in time. */
export function explainSelfTest(cause: unknown): EngineLoadError {
  if (cause instanceof EngineLoadError) return cause;
  const errno = errnoOf(cause);
  const advice = errno === MMC_UNUSABLE_POOL ? unusablePoolAdvice : selfTestAdvice;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EngineLoadError(`The engine failed its self-test: ${reason}`, advice, {
    cause,
    ...(errno === undefined ? {} : { errno }),
  });
}

function errnoOf(cause: unknown): number | undefined {
  if (cause instanceof EngineDeadlineError) return MMC_TIMEOUT;
  return cause instanceof MmcError ? cause.errno : undefined;
}
