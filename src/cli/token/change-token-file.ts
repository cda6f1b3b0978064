/** Changes the token file as a whole: a reader gets the old or the new one, and changes at the same time lose nothing. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { FileStatus } from '../../files/read-file.ts';
import { withFileLock } from '../../os/file-lock.ts';
import { readTokenFile } from '../../tokens/read-token-file.ts';
import type { TokenEntry } from '../../tokens/token.ts';
import { formatTokenFile } from '../../tokens/token-file.ts';

const OWNER_ONLY = 0o600;

/** Reports to the operator why the file is unchanged. */
export class TokenFileError extends Error {
  readonly texts: readonly string[];
  constructor(texts: readonly string[]) {
    super(texts.join('\n'));
    this.name = 'TokenFileError';
    this.texts = texts;
  }
}

/**
 * Replaces the tokens of a file by those that `change` returns. Creates a file that does not exist, with
 * mode 0600, if `creates`. Keeps owner and group. @throws TokenFileError
 */
export async function changeTokenFile(
  named: string,
  creates: boolean,
  change: (tokens: readonly TokenEntry[]) => readonly TokenEntry[],
): Promise<void> {
  const file = await realFile(named);
  try {
    await withFileLock(`${file}.lock`, async () => {
      const { tokens, status } = await currentTokens(file, creates);
      await replaceFile(file, formatTokenFile(change(tokens)), status);
    });
  } catch (error) {
    if (error instanceof TokenFileError) throw error;
    throw new TokenFileError([await explain(file, error)]);
  }
}

/** A rename would replace a symbolic link by a file. */
const realFile = (named: string): Promise<string> =>
  realpath(named).catch(() => path.resolve(named));

async function currentTokens(
  file: string,
  creates: boolean,
): Promise<{ tokens: readonly TokenEntry[]; status: FileStatus | undefined }> {
  const reading = await readTokenFile(file);
  if ('tokens' in reading) return reading;
  if (reading.isMissing && creates) return { tokens: [], status: undefined };
  throw new TokenFileError(reading.faults);
}

/** Temporary file, fsync, rename: after a crash, the old or the new file is there. */
async function replaceFile(
  file: string,
  text: string,
  before: FileStatus | undefined,
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx', OWNER_ONLY);
  try {
    try {
      await handle.writeFile(text);
      if (before !== undefined) await keepOwner(handle, before);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  const directory = await open(path.dirname(file));
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A file that root changes must still belong to the user of the gateway, who could not read it otherwise. */
async function keepOwner(handle: FileHandle, { uid, gid, mode }: FileStatus): Promise<void> {
  const now = await handle.stat();
  if (now.uid !== uid || now.gid !== gid) await handle.chown(uid, gid);
  await handle.chmod(mode & 0o777);
}

async function explain(file: string, error: unknown): Promise<string> {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    // Only the owner may open the lock file, and only root may keep the owner of a file of another user.
    for (const each of [file, `${file}.lock`]) {
      const owner = await stat(each).catch(() => undefined);
      const fault = owner === undefined ? undefined : ownerFault(each, owner.uid);
      if (fault !== undefined) return fault;
    }
  }
  if (code === 'ENOENT') return `${path.dirname(file)}: does not exist; create the directory first`;
  if (code === undefined) return message;
  return `${file}: cannot be changed (${code}); it needs a directory in which this user may create files`;
}

/** Why this user cannot change a file of the user `owner`; undefined if both are the same. */
export function ownerFault(
  file: string,
  owner: number,
  user = process.geteuid?.(),
): string | undefined {
  if (user === undefined || user === owner) return undefined;
  return `${file}: belongs to the user ${owner}, and this command runs as the user ${user}; run it as the owner (sudo -u '#${owner}') or as root`;
}
