import { MMC_CLIENT_NOT_INIT } from './codes.ts';
import { EngineLoadError } from './errors.ts';
import type { EngineLibrary } from './library.ts';

const pollMs = 250;

/**
 * Asks the engine whether it is still in its pool, and calls `onLost` once when it is not: it leaves a
 * pool whose header another program has overwritten or cut off. `end` must come before the uninit.
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
    `The header of the pool ${process.env['MMC_EMBEDDED_POOL'] ?? ''} was overwritten or cut off, and the objects in it are lost.`,
    'Another program writes to the pool in /dev/shm. The pool is made anew, and is empty.',
    { code: MMC_CLIENT_NOT_INIT },
  );
