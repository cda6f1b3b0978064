/** The file of a Unix socket: its identity, and its removal when it is stale. */
import { type BigIntStats, lstatSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { ListenError } from './open-server.ts';

/** The file at a path; of a link, the link itself. */
export function fileAt(file: string): BigIntStats | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/** Identifies a file. The number of an inode alone is soon used again. */
export type Identity = Pick<BigIntStats, 'dev' | 'ino' | 'birthtimeNs'>;

/** Removes a file if it is still the one that was seen; true when that file does not exist any more. */
export function removeIfSame(file: string, seen: Identity): boolean {
  const now = fileAt(file);
  if (now === undefined) return true;
  const { dev, ino, birthtimeNs } = now;
  if (dev !== seen.dev || ino !== seen.ino || birthtimeNs !== seen.birthtimeNs) return false;
  rmSync(file, { force: true });
  return true;
}

/**
 * Removes a stale socket file, whose program did not end in order. A file that is no socket, or on
 * which a program may still listen, stays. @throws ListenError
 */
export async function makeRoom(file: string): Promise<void> {
  const found = fileAt(file);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new ListenError(
      `${file} exists and is not a socket, so it was not replaced; move it away, or choose another path with --listen`,
    );
  }
  const fault = await faultOfConnecting(file);
  if (fault !== undefined) throw new ListenError(fault, { isInUse: true });
  removeIfSame(file, found);
}

/** Why a socket file has to stay; undefined when no program listens on it. */
function faultOfConnecting(file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    const settle = (fault?: string) => {
      socket.destroy();
      resolve(fault);
    };
    const inUse = `${file} is already in use; stop the program that listens on it (ss -xlp | grep ${path.basename(file)} names it), or choose another path with --listen`;
    socket.once('connect', () => settle(inUse));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // ENOENT: another program has removed it in between.
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') settle();
      // Its queue is full, or it is of another kind than a stream.
      else if (error.code === 'EAGAIN' || error.code === 'EPROTOTYPE') settle(inUse);
      else {
        settle(
          `cannot find out whether a program listens on ${file} (${error.message}), so it was not replaced; remove it if none does, or choose another path with --listen`,
        );
      }
    });
  });
}
