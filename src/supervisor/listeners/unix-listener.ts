/** A Unix socket, for clients on this machine: its file has a mode, and is removed in the end. */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { withAddressLock } from './address-lock.ts';
import type { ListeningSocket } from './listening-socket.ts';
import { ListenError, type Listener, type OnConnection, openServer } from './open-server.ts';
import { fileAt, makeRoom, removeIfSame } from './socket-file.ts';

/** Opens the socket; a stale file at its path is replaced. @throws ListenError */
export async function listenUnix(
  file: string,
  mode: number,
  onConnection: OnConnection,
): Promise<Listener> {
  try {
    const { socket, own } = await withAddressLock(file, async () => {
      await makeRoom(file);
      const opened = await openAt(file, mode, onConnection);
      return { socket: opened, own: fileAt(file) };
    });
    return {
      address: `unix:${file}`,
      socket,
      close() {
        // Before the socket, which keeps its inode's number from being given to another file.
        if (own !== undefined) removeQuietly(file, own);
        socket.close();
      },
    };
  } catch (error) {
    if (error instanceof ListenError) throw error;
    throw new ListenError(explain(error as NodeJS.ErrnoException, file), { cause: error });
  }
}

/**
 * libuv unlinks the path that it bound when it closes a socket, though the file there may belong to
 * another program by then. So libuv binds a temporary name, and the path becomes a link to that
 * socket. The link fails where a file exists, and no client finds the socket before it listens.
 */
async function openAt(
  file: string,
  mode: number,
  onConnection: OnConnection,
): Promise<ListeningSocket> {
  const provisional = `${file}.${randomBytes(3).toString('hex')}`;
  // The file is created before openServer returns, and has its mode from the first moment.
  const umask = process.umask(0o777 & ~mode);
  let opening: Promise<ListeningSocket>;
  try {
    opening = openServer({ path: provisional }, onConnection);
  } finally {
    process.umask(umask);
  }
  const socket = await opening;
  try {
    linkSync(provisional, file);
    unlinkSync(provisional);
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

/** A fault is ignored: the next start finds that the file is stale. */
function removeQuietly(file: string, own: NonNullable<ReturnType<typeof fileAt>>): void {
  try {
    removeIfSame(file, own);
  } catch {
    // For example, the directory has become read-only.
  }
}

function explain(error: NodeJS.ErrnoException, file: string): string {
  const folder = path.dirname(file);
  if (error.code === 'ENOTDIR' || !existsSync(folder)) {
    return `the directory ${folder} does not exist or cannot be entered; create it, or choose another path with --listen`;
  }
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `not allowed to create or remove files in ${folder} (${error.code}), which ${path.basename(file)} needs; allow it, or choose another path with --listen`;
    case 'EEXIST':
      return `another program has just created ${file}; choose another path with --listen`;
    default:
      return `cannot listen on ${file}: ${error.message}`;
  }
}
