/** Token files of tests. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newToken, type TokenEntry } from '../../../src/tokens/token.ts';
import { formatTokenFile } from '../../../src/tokens/token-file.ts';

export interface TestToken {
  readonly token: string;
  readonly entry: TokenEntry;
}

/** A new token, by default with the scopes read and write and no end. */
export function testToken(changes: Partial<TokenEntry> = {}): TestToken {
  const { id, token, sha256 } = newToken();
  const entry: TokenEntry = {
    id,
    scopes: ['read', 'write'],
    prefixes: [],
    expiresMs: null,
    sha256,
    ...changes,
  };
  return { token, entry };
}

/** Replaces a file by rename, as the command does. */
export function writeTokens(file: string, tokens: readonly TestToken[]): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, formatTokenFile(tokens.map(({ entry }) => entry)), { mode: 0o600 });
  renameSync(temporary, file);
}

export const authorization = (token: string): { Authorization: string } => ({
  Authorization: `Bearer ${token}`,
});

/** A temporary folder; remove it with `remove`. */
export function tokenFolder(): { path: string; remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tokens-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
