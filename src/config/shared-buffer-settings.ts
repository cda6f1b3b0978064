import { choice, gibibyte, list, size, tebibyte } from './kinds.ts';
import { setting } from './setting.ts';

/** Memory of clients on this machine that the gateway maps (docs/shared-buffers.md). */
export const sharedBufferSettings = {
  sharedBuffers: setting(
    'Shared buffers',
    choice('off', 'on', 'loopback'),
    'off',
    'Let clients on this machine register their shared memory as buffers. on serves only clients of Unix sockets, whose user the kernel names. loopback serves clients of loopback addresses as well, whose user is not known.',
  ),
  sharedBufferNames: setting(
    'Shared buffers',
    list('PATTERN,…', 'names of shared memory; `*` stands for any characters', patternFault),
    ['/memcache-*'],
    'Shared memory that clients may register, by the name that shm_open takes. Memory of the embedded engine is always refused.',
  ),
  sharedBufferBytes: setting(
    'Shared buffers',
    size(4096, 16 * tebibyte),
    16 * gibibyte,
    'Most bytes of all registered buffers together; a registration beyond that gets 507.',
  ),
  sharedBufferOwners: setting(
    'Shared buffers',
    list('UID,…', 'user ids', userFault),
    [],
    'Users whose shared memory clients of loopback addresses may register. Without any, only that of the user of the gateway. A client of a Unix socket may always register its own memory, and no other.',
  ),
  sharedBufferCopies: setting(
    'Shared buffers',
    choice('auto', 'on', 'off'),
    'auto',
    'Copy the bytes of shared buffers through the arena instead of passing the memory of a client to the engine. auto does so with every engine but the embedded one, which is the only one known to survive that a client truncates its memory.',
  ),
};

function patternFault(word: string): string | undefined {
  if (!word.startsWith('/')) return `"${word}" does not begin with a slash; write /${word}`;
  if (/[\x00-\x1f\x7f]/.test(word)) return 'contains control characters';
  if (word.indexOf('/', 1) > 0) return `"${word}" has a second slash, which no shared memory has`;
  if (word === '/') return '"/" is no name; give one such as /memcache-*';
  return Buffer.byteLength(word) <= 256 ? undefined : 'has more than 256 bytes';
}

function userFault(word: string): string | undefined {
  const isUser = /^\d{1,10}$/.test(word) && Number(word) < 2 ** 32 - 1;
  return isUser ? undefined : `"${word}" is no user id; give numbers, as id -u prints them`;
}

/** Whether one of the patterns names this shared memory. */
export const namesMemory = (patterns: readonly string[], shmKey: string): boolean =>
  patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 's').test(shmKey);
  });
