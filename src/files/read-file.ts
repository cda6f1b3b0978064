/** Reads a file that holds a secret or decides who gets access. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** The status of a file, by which a change is recognized. */
export interface FileStatus {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface FileFaults {
  /** Each names the file and its correction. */
  readonly faults: readonly string[];
  readonly isMissing: boolean;
  /** Whether the system has refused to read it, which may pass without a change of the file. */
  readonly isUnread?: boolean;
}

export interface FileLimits {
  readonly maxBytes: number;
  /** Why a file with this status may not be used; undefined if it may. */
  readonly statusFault?: (file: string, status: FileStatus) => string | undefined;
}

/** Checks and reads one and the same file, even if another file replaces it between the two. */
export async function readCheckedFile(
  file: string,
  { maxBytes, statusFault }: FileLimits,
): Promise<{ readonly bytes: Buffer; readonly status: FileStatus } | FileFaults> {
  try {
    // Opening a pipe would wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = await handle.stat();
      if (!status.isFile()) return fileFault(`${file}: is not a file`);
      const fault = statusFault?.(file, status);
      if (fault !== undefined) return fileFault(fault);
      if (status.size > maxBytes) {
        return fileFault(`${file}: is larger than ${maxBytes / 1024 / 1024}MiB`);
      }
      return { bytes: await handle.readFile(), status };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { faults: [`${file}: does not exist`], isMissing: true };
    const text = `${file}: cannot be read (${code ?? String(error)})`;
    return { faults: [text], isMissing: false, isUnread: true };
  }
}

export const fileFault = (text: string): FileFaults => ({ faults: [text], isMissing: false });

/** For a shell. */
export const quoted = (file: string): string =>
  /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;

/** As chmod takes it. */
export const octalMode = ({ mode }: Pick<FileStatus, 'mode'>): string =>
  (mode & 0o777).toString(8).padStart(4, '0');
