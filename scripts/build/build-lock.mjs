/**
 * Allows one build at a time in this checkout. The lock is an abstract socket, because the kernel releases
 * it however its owner ends. A waiter connects to it and tries again when the connection is closed.
 */
import { createHash } from 'node:crypto';
import net from 'node:net';

/** Waits until no other process builds into the folder; returns a function that releases the lock. */
export async function acquireBuildLock(directory) {
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  const address = `\0memcache-gateway-build-${name}`;
  for (;;) {
    const server = await listen(address);
    if (server !== undefined) return () => server.release();
    await closed(address);
  }
}

function listen(address) {
  return new Promise((resolve, reject) => {
    const waiters = new Set();
    const server = net.createServer((socket) => {
      waiters.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => waiters.delete(socket));
    });
    server.release = () => {
      server.close();
      for (const socket of waiters) socket.destroy();
    };
    server.on('error', (error) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}

function closed(address) {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(resolve, 10));
  });
}
