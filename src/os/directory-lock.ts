import { open } from 'node:fs/promises';
import { setTimeout as elapse } from 'node:timers/promises';
import { lastErrno, libc } from './libc.ts';

/** flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;
const EINTR = 4;
const EWOULDBLOCK = 11;

const POLL_MS = 10;

/**
 * Does `action` while no other process does so with the same directory. The kernel releases the lock
 * with the process, and the lock leaves no file behind. @throws Error when it is not free within
 * `maxWaitMs`, or the file system has no such locks; the system's error when there is no directory.
 */
export async function withDirectoryLock<T>(
  directory: string,
  action: () => Promise<T>,
  maxWaitMs = 10_000,
): Promise<T> {
  const handle = await open(directory);
  try {
    const end = performance.now() + maxWaitMs;
    while (libc().flock(handle.fd, LOCK_EX | LOCK_NB) !== 0) {
      const errno = lastErrno();
      if (errno !== EWOULDBLOCK && errno !== EINTR) {
        throw new Error(`${directory}: cannot be locked (errno ${errno})`);
      }
      if (performance.now() > end) {
        throw new Error(
          `${directory}: another program has locked it for ${maxWaitMs / 1000} s; try again`,
        );
      }
      await elapse(POLL_MS);
    }
    return await action();
  } finally {
    await handle.close();
  }
}
