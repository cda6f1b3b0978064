import { MMC_CLIENT_NOT_INIT } from '../../errors/engine-codes.ts';
import { EngineLoadError } from '../abi/errors.ts';
import type { EngineLibrary } from './library.ts';

const pollMs = 250;

/**
 * Polls whether the engine is still in its pool, and calls `onLost` once when it is not. The engine
 * leaves a pool whose header another program has overwritten or truncated. Call `end` before the uninit.
 */
export function watchMembership(
  { isMember }: Pick<EngineLibrary, 'isMember'>,
  onLost: ((error: EngineLoadError) => void) | undefined,
): { end(): void } {
  if (isMember === undefined || onLost === undefined) return { end() {} };
  const timer = setInterval(() => {
    if (isMember() !== 0) return;
    clearInterval(timer);
    onLost(poolLost());
  }, pollMs).unref();
  return { end: () => clearInterval(timer) };
}

const poolLost = (): EngineLoadError =>
  new EngineLoadError(
    `The header of the pool ${process.env['MMC_EMBEDDED_POOL'] ?? ''} was overwritten or truncated, and the objects in it are lost.`,
    'Another program writes to the pool in /dev/shm. The pool is created again, empty.',
    { errno: MMC_CLIENT_NOT_INIT },
  );
