/** `memcache-gateway token`: creates, lists and revokes the tokens of a file. */
import { readTokenFile } from '../../tokens/read-token-file.ts';
import { idOf, newToken, secretStart, type TokenEntry } from '../../tokens/token.ts';
import { MAX_TOKENS } from '../../tokens/token-file.ts';
import { changeTokenFile, TokenFileError } from './change-token-file.ts';
import { type NewToken, parseTokenCommandLine } from './command-line.ts';
import { tokenHelp } from './help.ts';

const usageFault = 2;

/** Runs the command of `argv`, which follows the word `token`; resolves with the exit code. */
export async function runTokenCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<number> {
  const line = parseTokenCommandLine(argv, env);
  try {
    switch (line.action) {
      case 'help':
      case 'version':
        process.stdout.write(line.action === 'help' ? tokenHelp : `${version}\n`);
        return 0;
      case 'refuse':
        complain(line.faults);
        return usageFault;
      case 'create':
        return await create(line.file, line.token);
      case 'list':
        return await list(line.file);
      case 'revoke':
        return await revoke(line.file, line.id);
    }
  } catch (error) {
    if (!(error instanceof TokenFileError)) throw error;
    complain(error.texts);
    return 1;
  }
}

function complain(texts: readonly string[]): void {
  for (const text of texts) process.stderr.write(`memcache-gateway token: ${text}\n`);
}

/** The token alone goes to stdout, so that a script can take it; the file has it only as a hash. */
async function create(file: string, asked: NewToken): Promise<number> {
  const { id, token, sha256 } = newToken();
  const expiresMs = asked.validMs === undefined ? null : Date.now() + asked.validMs;
  const entry = { id, scopes: asked.scopes, prefixes: asked.prefixes, expiresMs, sha256 };
  await changeTokenFile(file, true, (tokens) => {
    if (tokens.length >= MAX_TOKENS) {
      throw new TokenFileError([`${file}: has ${MAX_TOKENS} tokens, the limit; revoke some first`]);
    }
    return [...tokens, entry];
  });
  process.stderr.write(`${describe(entry)}\nThe token is shown only now:\n`);
  process.stdout.write(`${token}\n`);
  return 0;
}

async function list(file: string): Promise<number> {
  const reading = await readTokenFile(file);
  if ('faults' in reading) throw new TokenFileError(reading.faults);
  for (const entry of reading.tokens) process.stdout.write(`${describe(entry)}\n`);
  if (reading.tokens.length === 0) process.stderr.write(`${file}: has no tokens\n`);
  return 0;
}

/** Also takes a whole token, whose secret must not reach the output. */
async function revoke(file: string, given: string): Promise<number> {
  const start = secretStart(given);
  const id = start === undefined ? given : idOf(given, start);
  await changeTokenFile(file, false, (tokens) => {
    const left = tokens.filter((entry) => entry.id !== id);
    if (left.length === tokens.length) {
      throw new TokenFileError([`${file}: has no token with the id "${id}"; token list shows all`]);
    }
    return left;
  });
  process.stderr.write(`revoked ${id}; running gateways refuse it within 2 s\n`);
  return 0;
}

/** Prefixes are in quotes, since they may contain blanks. */
function describe({ id, scopes, prefixes, expiresMs }: TokenEntry): string {
  const isOver = expiresMs !== null && expiresMs <= Date.now();
  const end = expiresMs === null ? 'never' : new Date(expiresMs).toISOString();
  const keys =
    prefixes.length === 0 ? 'all' : prefixes.map((each) => JSON.stringify(each)).join(',');
  return `${id}  ${isOver ? 'expired' : 'valid  '}  scopes ${scopes.join(',')}  prefixes ${keys}  expires ${end}`;
}
