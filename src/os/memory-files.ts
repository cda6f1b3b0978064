/** Objects of shared memory, as shm_open(3) names them: files of /dev/shm. */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';

const FOLDER = '/dev/shm';
/** Of a file in a folder of Linux; the slash does not count. */
const MAX_NAME_BYTES = 255;

/** Shared memory that is open for reading and writing. */
export interface MemoryFile {
  readonly descriptor: number;
  /** Device and inode. */
  readonly file: string;
  readonly uid: number;
  readonly bytes: number;
}

/** The fault of a name for shm_open: the end of a sentence; undefined for a good name. */
export function memoryNameFault(shmKey: string): string | undefined {
  const name = shmKey.slice(1);
  if (!shmKey.startsWith('/') || name === '') return 'must be a slash and a name';
  if (name.includes('/')) return 'has a second slash';
  if (name === '.' || name === '..') return 'is not the name of a file';
  if (/[\x00-\x1f\x7f]/.test(name)) return 'has a control character';
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? undefined : 'has more than 255 bytes';
}

/** Opens shared memory. Returns the reason as the end of a sentence when it cannot be used. */
export function openMemoryFile(shmKey: string): MemoryFile | string {
  const fault = memoryNameFault(shmKey);
  if (fault !== undefined) return fault;
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO must not block the process.
    descriptor = openSync(`${FOLDER}${shmKey}`, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return reasonOf(error);
  }
  const { mode, dev, ino, uid, size } = fstatSync(descriptor, { bigint: true });
  const isRegular = (Number(mode) & constants.S_IFMT) === constants.S_IFREG;
  if (isRegular && dev === statSync(FOLDER, { bigint: true }).dev) {
    return { descriptor, file: `${dev}:${ino}`, uid: Number(uid), bytes: Number(size) };
  }
  closeSync(descriptor);
  return 'is not ordinary shared memory';
}

/**
 * Opens the memory that another process of this user has open as `descriptor`: its name may belong to other
 * memory by now. @throws Error unless it is the same file
 */
export function reopenMemoryFile(pid: number, descriptor: number, file: string): number {
  const opened = openSync(`/proc/${pid}/fd/${descriptor}`, constants.O_RDWR | constants.O_NONBLOCK);
  const { dev, ino } = fstatSync(opened, { bigint: true });
  if (`${dev}:${ino}` === file) return opened;
  closeSync(opened);
  throw new Error('the memory was replaced');
}

function reasonOf(error: unknown): string {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    return 'does not exist in the /dev/shm of the gateway. Containers and mount namespaces have a /dev/shm of their own, unless they share it';
  }
  if (code === 'ELOOP') return 'is a symbolic link';
  if (code === 'EACCES' || code === 'EPERM') {
    return 'may not be opened by the user of the gateway for reading and writing';
  }
  return `cannot be opened (${code})`;
}
