import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { TokenFileWatch } from '../../../src/cli/token-file-watch.ts';
import { silentLog } from '../../../src/log/waiting-log.ts';
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
function follow(file: string, tokens: readonly TestToken[], pollMs = 5) {
  const applied: (readonly TokenEntry[])[] = [];
  const errors: object[] = [];
  const told: string[] = [];
  const watch = new TokenFileWatch({
    file,
    tokens: tokens.map(({ entry }) => entry),
    pollMs,
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
    const { isIn } = follow(file, [one]);
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

  it('is read at once on request, and again for a request during a reading', async () => {
    const file = newFile();
    writeTokens(file, [one]);
    const { watch, applied, told } = follow(file, [one], 3_600_000);
    await watch.reread();
    assert.deepEqual([applied.length, told.length], [0, 1]);
    const first = watch.reread();
    writeTokens(file, [one, two]);
    await Promise.all([first, watch.reread()]);
    assert.equal(applied.at(-1)?.length, 2);
  });
});
