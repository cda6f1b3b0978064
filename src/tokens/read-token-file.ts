/** Reads the token file, and refuses one that other users can read. */
import {
  type FileFaults,
  type FileStatus,
  octalMode,
  quoted,
  readCheckedFile,
} from '../files/read-file.ts';
import type { TokenEntry } from './token.ts';
import { parseTokenFile } from './token-file.ts';

const MAX_BYTES = 8 * 1024 * 1024;

export type TokenFileReading =
  | { readonly tokens: readonly TokenEntry[]; readonly status: FileStatus }
  | FileFaults;

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
  return `${file}: other users may access it (mode ${octalMode({ mode })}); run chmod 600 ${quoted(file)}`;
}

/** Checks and reads the file. */
export async function readTokenFile(file: string): Promise<TokenFileReading> {
  const read = await readCheckedFile(file, { maxBytes: MAX_BYTES, statusFault: modeFault });
  if ('faults' in read) return read;
  const parsed = parseTokenFile(read.bytes);
  if ('tokens' in parsed) return { tokens: parsed.tokens, status: read.status };
  return { faults: parsed.faults.map((each) => `${file}: ${each}`), isMissing: false };
}
