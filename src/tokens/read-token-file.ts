/** Reads the token file, and refuses one that other users can read. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { TokenEntry } from './token.ts';
import { parseTokenFile } from './token-file.ts';

const MAX_BYTES = 8 * 1024 * 1024;

/** The status of a file, by which a change is recognized. */
export interface FileStatus {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export type TokenFileReading =
  | { readonly tokens: readonly TokenEntry[]; readonly status: FileStatus }
  | {
      /** Each names the file and its correction. */
      readonly faults: readonly string[];
      readonly isMissing: boolean;
      /** Whether the system has refused to read it, which may pass without a change of the file. */
      readonly isUnread?: boolean;
    };

/**
 * Why a file with this status may not hold tokens; undefined if it may. A file of root may also be
 * readable by its group: a process of another user can read a secret of Kubernetes only in this way.
 */
export function modeFault(
  file: string,
  { mode, uid }: Pick<FileStatus, 'mode' | 'uid'>,
  user = process.getuid?.(),
): string | undefined {
  const allowed = uid === 0 && user !== undefined && user !== 0 ? 0o640 : 0o600;
  if ((mode & 0o077 & ~allowed) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return `${file}: other users may access it (mode ${octal}); run chmod 600 ${quoted(file)}`;
}

/** For a shell. */
const quoted = (file: string): string =>
  /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;

/** Checks and reads one and the same file, even if another file replaces it between the two. */
export async function readTokenFile(file: string): Promise<TokenFileReading> {
  try {
    // Opening a pipe would wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = await handle.stat();
      if (!status.isFile()) return fault(`${file}: is not a file`);
      const wide = modeFault(file, status);
      if (wide !== undefined) return fault(wide);
      if (status.size > MAX_BYTES) return fault(`${file}: is larger than 8MiB`);
      const parsed = parseTokenFile(await handle.readFile());
      if ('tokens' in parsed) return { tokens: parsed.tokens, status };
      return { faults: parsed.faults.map((each) => `${file}: ${each}`), isMissing: false };
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

const fault = (text: string): TokenFileReading => ({ faults: [text], isMissing: false });
