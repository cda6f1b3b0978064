import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';

const FOLDER = '/dev/shm';

/** Shared memory, as the file that `shm_open` opens for the same name on Linux. */
export class MemoryFile {
  readonly shmKey: string;
  readonly #file: FileHandle;
  readonly #isOurs: boolean;

  private constructor(shmKey: string, file: FileHandle, isOurs: boolean) {
    this.shmKey = shmKey;
    this.#file = file;
    this.#isOurs = isOurs;
  }

  /** Creates memory that no other user can open. Rejects if the name is in use. */
  static async create(shmKey: string, bytes: number): Promise<MemoryFile> {
    const path = FOLDER + shmKey;
    const file = await open(path, 'wx+', 0o600);
    const memory = new MemoryFile(shmKey, file, true);
    try {
      await file.truncate(bytes);
      return memory;
    } catch (error) {
      await memory.close();
      throw error;
    }
  }

  /** Opens memory of another program, which removes it. */
  static async open(shmKey: string): Promise<MemoryFile> {
    const flags = constants.O_RDWR | constants.O_NOFOLLOW;
    return new MemoryFile(shmKey, await open(FOLDER + shmKey, flags), false);
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, offset + at);
      at += bytesWritten;
    }
  }

  /** Fills `into`. Rejects with RangeError if the memory has been truncated. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < into.length; ) {
      const { bytesRead } = await this.#file.read(into, at, into.length - at, offset + at);
      if (bytesRead === 0) throw new RangeError(`the shared memory ends at byte ${offset + at}`);
      at += bytesRead;
    }
  }

  /** Closes the file, and removes its name if `create` has made it. Other mappings keep the memory. */
  async close(): Promise<void> {
    try {
      if (this.#isOurs) await unlink(FOLDER + this.shmKey).catch(ignoreMissing);
    } finally {
      // A second close does nothing.
      await this.#file.close();
    }
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
}
