import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as elapse } from 'node:timers/promises';
import { lastErrno, libc } from './libc.ts';

/** flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;
const EINTR = 4;
const EWOULDBLOCK = 11;

const POLL_MS = 10;

/** A symbolic link could lead to a file that other users may open. */
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * Does `action` while no other process does so with the same lock file, which stays. The kernel releases
 * the lock with the process. Only the owner may open the file: flock(2) needs no more than that, and
 * another user could keep the lock. @throws Error when it is not free within `maxWaitMs`, when other users
 * may open the file, or the file system has no such locks; the system's error when it cannot be created.
 */
export async function withFileLock<T>(
  file: string,
  action: () => Promise<T>,
  maxWaitMs = 10_000,
): Promise<T> {
  const handle = await open(file, FLAGS, 0o600);
  try {
    if (((await handle.stat()).mode & 0o077) !== 0) {
      throw new Error(`${file}: other users may open it; remove it`);
    }
    const end = performance.now() + maxWaitMs;
    while (libc().flock(handle.fd, LOCK_EX | LOCK_NB) !== 0) {
      const errno = lastErrno();
      if (errno !== EWOULDBLOCK && errno !== EINTR) {
        throw new Error(`${file}: cannot be locked (errno ${errno})`);
      }
      if (performance.now() > end) {
        throw new Error(
          `${file}: another program has locked it for ${maxWaitMs / 1000} s; try again`,
        );
      }
      await elapse(POLL_MS);
    }
    return await action();
  } finally {
    await handle.close();
  }
}
