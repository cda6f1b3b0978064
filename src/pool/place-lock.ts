/** A lock for the moment in which a socket file is replaced: one program at a time, whoever comes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { ListenError } from './open-server.ts';

/** It is held for a few milliseconds. */
const patienceMs = 3000;
const againMs = 5;

/**
 * Does `action` while nobody else is at this place. The lock is an abstract socket (unix(7)), which
 * the kernel lets only one bind, and takes away with the process. It holds within one network
 * namespace: a container with one of its own does not see it. @throws ListenError when it is not free
 * in time; what the system says when the folder is not there.
 */
export async function withPlaceLock<T>(
  file: string,
  action: () => Promise<T>,
  longestWaitMs = patienceMs,
): Promise<T> {
  const name = lockName(file);
  const end = performance.now() + longestWaitMs;
  let lock = await bind(name);
  while (lock === undefined && performance.now() < end) {
    await elapse(againMs);
    lock = await bind(name);
  }
  if (lock === undefined) {
    throw new ListenError(
      `${file} is being opened by another program, which has not done that in ${longestWaitMs / 1000} s (ss -xlp | grep ${name.slice(1)} names it); stop that, or choose another path with --listen`,
    );
  }
  try {
    return await action();
  } finally {
    lock.close();
  }
}

/** The same for all ways to the folder. */
function lockName(file: string): string {
  const { dev, ino } = statSync(path.dirname(file), { bigint: true });
  const place = `${dev}:${ino}:${path.basename(file)}`;
  const hash = createHash('sha256').update(place).digest('hex').slice(0, 32);
  return `\0memcache-gateway-${hash}`;
}

/** Undefined when somebody else has it. */
async function bind(name: string): Promise<net.Server | undefined> {
  const server = net.createServer((socket) => socket.destroy());
  try {
    await once(server.listen(name), 'listening');
    return server;
  } catch (error) {
    // Where such sockets are not allowed, the place is still looked at twice before it is taken.
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? undefined : server;
  }
}
