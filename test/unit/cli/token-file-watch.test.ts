import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { TokenFileWatch, type TokenFileWatchOptions } from '../../../src/cli/token-file-watch.ts';
import { silentLog } from '../../../src/log/waiting-log.ts';
import { readTokenFile } from '../../../src/tokens/read-token-file.ts';
import type { TokenEntry } from '../../../src/tokens/token.ts';
import {
  type TestToken,
  testToken,
  tokenFolder,
  writeTokens,
} from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const folder = tokenFolder();
after(() => folder.remove());
const watches: TokenFileWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.end();
});

let files = 0;
function newFile(): string {
  files += 1;
  return path.join(folder.path, `${files}.json`);
}

/** Watches a file that has these tokens. */
function follow(
  file: string,
  tokens: readonly TestToken[],
  options: Pick<TokenFileWatchOptions, 'pollMs' | 'settledMs' | 'read'> = {},
) {
  const applied: (readonly TokenEntry[])[] = [];
  const errors: object[] = [];
  const told: string[] = [];
  const watch = new TokenFileWatch({
    file,
    tokens: tokens.map(({ entry }) => entry),
    pollMs: 5,
    ...options,
    apply: (entries) => void applied.push(entries),
    log: {
      ...silentLog,
      error: (facts) => void errors.push(facts),
      info: (_, message) => void told.push(message),
    },
  });
  watches.push(watch);
  /** The ids of the tokens that were applied last. */
  const ids = () => applied.at(-1)?.map(({ id }) => id);
  const isIn = (wanted: readonly TestToken[]) =>
    until(() => JSON.stringify(ids()) === JSON.stringify(wanted.map(({ entry }) => entry.id)));
  return { watch, applied, errors, told, isIn };
}

describe('a watched token file', () => {
  const [one, two] = [testToken(), testToken()];

  it('is applied when it is replaced, and when it is written in place', async () => {
    const file = newFile();
    writeTokens(file, [one]);
    const { isIn, watch } = follow(file, [one]);
    writeTokens(file, [one, two]);
    await isIn([one, two]);
    const other = newFile();
    writeTokens(other, [two]);
    writeFileSync(file, JSON.stringify({ version: 1, tokens: [] }));
    await isIn([]);
    assert.equal(watch.numbers.tokens, 0);
    assert.equal(watch.numbers.isCurrent, true);
  });

  it('is applied when the folder behind its symbolic link is replaced, as in Kubernetes', async () => {
    const mount = newFile();
    for (const [name, token] of [
      ['v1', one],
      ['v2', two],
    ] as const) {
      mkdirSync(path.join(mount, name), { recursive: true });
      writeTokens(path.join(mount, name, 'tokens.json'), [token]);
    }
    symlinkSync('v1', path.join(mount, '..data'));
    const file = path.join(mount, 'tokens.json');
    symlinkSync('..data/tokens.json', file);
    // Only the status of the file behind the links tells the change.
    const { isIn, watch } = follow(file, [one], { settledMs: -1 });
    await watch.reread();
    symlinkSync('v2', path.join(mount, 'next'));
    renameSync(path.join(mount, 'next'), path.join(mount, '..data'));
    await isIn([two]);
  });

  it('keeps the tokens in use while it has a fault, logs each fault once, and recovers', async () => {
    const file = newFile();
    writeTokens(file, [one]);
    const { isIn, watch, errors, applied, told } = follow(file, [one]);
    writeFileSync(file, '{"version":1,');
    await until(() => errors.length === 1);
    const broken = watch.numbers;
    assert.deepEqual([broken.isCurrent, broken.tokens, broken.failures], [false, 1, 1]);
    chmodSync(file, 0o644);
    await until(() => errors.length === 2);
    assert.match(JSON.stringify(errors[1]), /chmod 600/);
    rmSync(file);
    await until(() => errors.length === 3);
    assert.match(JSON.stringify(errors[2]), /does not exist/);
    assert.deepEqual(applied, []);
    writeTokens(file, [one]);
    await until(() => told.length === 1);
    assert.deepEqual(applied, []);
    assert.deepEqual([watch.numbers.isCurrent, watch.numbers.failures], [true, 3]);
    writeTokens(file, [two]);
    await isIn([two]);
    assert.equal(errors.length, 3);
  });

  it('is read again after an error of the system, although its status is the same', async () => {
    const file = newFile();
    writeTokens(file, [one, two]);
    let isFailing = true;
    const followed = follow(file, [one], {
      settledMs: -1,
      read: async (name) =>
        isFailing
          ? { faults: ['cannot be read (EMFILE)'], isMissing: false, isUnread: true }
          : readTokenFile(name),
    });
    await until(() => followed.errors.length === 1);
    isFailing = false;
    await followed.isIn([one, two]);
  });

  it('is read at once on request, and again for a request during a reading', async () => {
    const file = newFile();
    writeTokens(file, [one]);
    const readings: (() => void)[] = [];
    const { watch, applied, told } = follow(file, [one], {
      pollMs: 3_600_000,
      read: async (name) => {
        const read = await readTokenFile(name);
        await new Promise<void>((resolve) => readings.push(resolve));
        return read;
      },
    });
    const first = watch.reread();
    await until(() => readings.length === 1);
    writeTokens(file, [one, two]);
    const second = watch.reread();
    readings[0]?.();
    await first;
    assert.deepEqual([applied.length, told.length], [0, 1]);
    await until(() => readings.length === 2);
    readings[1]?.();
    await second;
    assert.equal(applied.at(-1)?.length, 2);
  });

  it('is read again while its status is so young that it may hide a change', async () => {
    const file = newFile();
    writeTokens(file, [one]);
    let readings = 0;
    const read: typeof readTokenFile = (name) => {
      readings += 1;
      return readTokenFile(name);
    };
    follow(file, [one], { read, settledMs: 3_600_000 });
    await until(() => readings > 2);
  });
});
