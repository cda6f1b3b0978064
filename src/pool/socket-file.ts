/** The file of a Unix socket: whose it is, and making room where one is to be. */
import { type BigIntStats, lstatSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { ListenError } from './open-server.ts';

/** What lies at a path, itself and not what it points to. */
export function fileAt(file: string): BigIntStats | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/** A file of its own: an inode's number is soon given to another one. */
export type Identity = Pick<BigIntStats, 'dev' | 'ino' | 'birthtimeNs'>;

/** Removes a file if it is still the one that was seen, and answers whether that is gone. */
export function removeIfSame(file: string, seen: Identity): boolean {
  const now = fileAt(file);
  if (now === undefined) return true;
  const { dev, ino, birthtimeNs } = now;
  if (dev !== seen.dev || ino !== seen.ino || birthtimeNs !== seen.birthtimeNs) return false;
  rmSync(file, { force: true });
  return true;
}

/**
 * Removes a socket file that was left behind by a program which did not end in order. What anybody
 * may still listen on, or is no socket, stays. @throws ListenError
 */
export async function makeRoom(file: string): Promise<void> {
  const found = fileAt(file);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new ListenError(
      `${file} exists and is no socket, so it was left alone; move it away, or choose another path with --listen`,
    );
  }
  const fault = await faultOfConnecting(file);
  if (fault !== undefined) throw new ListenError(fault);
  removeIfSame(file, found);
}

/** Why a socket file has to stay; undefined when nobody listens on it. */
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
      // ENOENT: it has gone meanwhile, which is as good.
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') settle();
      // Its queue is full, or it is of another kind than a stream.
      else if (error.code === 'EAGAIN' || error.code === 'EPROTOTYPE') settle(inUse);
      else {
        settle(
          `whether somebody listens on ${file} cannot be told (${error.message}), so it was left alone; remove it if nobody does, or choose another path with --listen`,
        );
      }
    });
  });
}
