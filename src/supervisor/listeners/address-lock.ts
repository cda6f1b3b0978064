/** A lock for the moment in which a socket file is replaced: one program at a time. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { ListenError } from './open-server.ts';

/** The lock is held for a few milliseconds. */
const maxWaitMs = 3000;
const pollMs = 5;

/**
 * Does `action` while no other program does so for this file. The lock is an abstract socket
 * (unix(7)): only one process can bind it, and the kernel removes it with the process. It holds
 * within one network namespace: a container with one of its own does not see it. @throws
 * ListenError when it is not free in time; the system's error when the folder is missing.
 */
export async function withAddressLock<T>(
  file: string,
  action: () => Promise<T>,
  waitMs = maxWaitMs,
): Promise<T> {
  const name = lockName(file);
  const end = performance.now() + waitMs;
  let lock = await bind(name);
  while (lock === undefined && performance.now() < end) {
    await elapse(pollMs);
    lock = await bind(name);
  }
  if (lock === undefined) {
    throw new ListenError(
      `another program is opening ${file} and has not finished in ${waitMs / 1000} s (ss -xlp | grep ${name.slice(1)} names it); stop it, or choose another path with --listen`,
    );
  }
  try {
    return await action();
  } finally {
    lock.close();
  }
}

/** The same name for all paths to the folder. */
function lockName(file: string): string {
  const { dev, ino } = statSync(path.dirname(file), { bigint: true });
  const place = `${dev}:${ino}:${path.basename(file)}`;
  const hash = createHash('sha256').update(place).digest('hex').slice(0, 32);
  return `\0memcache-gateway-${hash}`;
}

/** Undefined when another process has it. */
async function bind(name: string): Promise<net.Server | undefined> {
  const server = net.createServer((socket) => socket.destroy());
  try {
    await once(server.listen(name), 'listening');
    return server;
  } catch (error) {
    // Where abstract sockets are not allowed, the file is replaced without a lock.
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? undefined : server;
  }
}
