/** Shared memory of a client, as a program creates it with shm_open(3). */
import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import process from 'node:process';

const made = new Set<string>();
process.once('exit', () => {
  for (const path of made) rmSync(path, { force: true });
});

export interface SharedMemory {
  /** As for shm_open, with a slash. */
  readonly key: string;
  readonly path: string;
  readonly descriptor: number;
  write(offset: number, bytes: Uint8Array): void;
  read(offset: number, length: number): Buffer;
  truncate(bytes: number): void;
  /** Removes the name. The memory stays while a process has it. */
  unlink(): void;
  /** Removes the name and closes the descriptor. */
  close(): void;
}

export function sharedMemory(bytes: number, name = `memcache-test-${randomUUID()}`): SharedMemory {
  const path = `/dev/shm/${name}`;
  const descriptor = openSync(path, 'wx+', 0o600);
  made.add(path);
  ftruncateSync(descriptor, bytes);
  const unlink = () => {
    rmSync(path, { force: true });
    made.delete(path);
  };
  return {
    key: `/${name}`,
    path,
    descriptor,
    write: (offset, given) => void writeSync(descriptor, given, 0, given.length, offset),
    read(offset, length) {
      const into = Buffer.alloc(length);
      readSync(descriptor, into, 0, length, offset);
      return into;
    },
    truncate: (to) => ftruncateSync(descriptor, to),
    unlink,
    close() {
      unlink();
      closeSync(descriptor);
    },
  };
}
