/** The games: with and without TLS, with and without tokens. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { startGateway } from '../helpers/process/gateway.ts';
import { authorization, testToken, writeTokens } from '../helpers/process/token-files.ts';
import {
  type CertificateFolder,
  certificateFolder,
  secretVolume,
} from '../helpers/tls/certificates.ts';
import { createRandom } from '../model/values.ts';
import { checkAftermath, socketsOf } from './aftermath.ts';
import { createPlayers, type Players } from './players.ts';
import { rawGame } from './raw-bytes.ts';
import { type Random, validRequest } from './valid-requests.ts';

export interface Game {
  readonly name: string;
  readonly tls: boolean;
  readonly tokens: boolean;
}

export const games: readonly Game[] = [
  { name: 'plain', tls: false, tokens: false },
  { name: 'tokens', tls: false, tokens: true },
  { name: 'tls', tls: true, tokens: false },
  { name: 'tls-tokens', tls: true, tokens: true },
];

export interface GameOptions {
  readonly seed: number;
  readonly requests: number;
  readonly progress?: (done: number) => void;
  /** For a gateway with a fault. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly onStart?: (worker: number) => void | Promise<void>;
}

const PLAYERS = 16;
/** One connection of raw bytes and these requests in turn have the same seed. */
const VALID_IN_TURN = 8;

type Headers = Readonly<Record<string, string>>;

/** Rejects with the first fault, and the seed of its turn. Returns how many responses had each status. */
export async function playGame(game: Game, options: GameOptions): Promise<Map<number, number>> {
  const folder = certificateFolder();
  const authority = game.tls ? folder.authority() : undefined;
  const { args, credentials } = setUp(game, folder, authority?.server());
  const gateway = await startGateway({
    args: [...args, ...(options.args ?? [])],
    // Released blocks are poisoned, so a read of one returns wrong bytes.
    env: { GATEWAY_DEBUG_ARENA: '1', ...options.env },
  });
  try {
    const [admin] = gateway.ready['adminAddresses'] as [string];
    const worker = gateway.workerPid() ?? assert.fail('no worker');
    const before = { worker, sockets: socketsOf(worker) };
    await options.onStart?.(worker);
    const players = createPlayers({ port: gateway.port, ca: authority?.cert });
    const { statuses, valid } = await playTurns(players, credentials, options);
    players.close();
    await checkAftermath(gateway, admin, before, valid);
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    return statuses;
  } finally {
    await gateway.kill();
    folder.remove();
  }
}

function setUp(
  { tls, tokens }: Game,
  folder: CertificateFolder,
  identity: { cert: string; key: string } | undefined,
): { args: string[]; credentials: readonly Headers[] } {
  const args = ['--listen', `${tls ? 'tls:' : ''}127.0.0.1:0`, '--listen', 'admin:127.0.0.1:0'];
  // A connection that sends nothing more is closed soon, and the limits are within reach.
  args.push('--idle-timeout-ms', '2000', '--log-level', 'error', '--put-wait-ms', '50');
  if (identity !== undefined) {
    const secret = secretVolume(folder.path);
    secret.write({ 'tls.crt': identity.cert, 'tls.key': identity.key });
    args.push('--tls-cert', secret.file('tls.crt'), '--tls-key', secret.file('tls.key'));
  }
  if (!tokens) return { args, credentials: [{}] };
  const file = path.join(folder.path, 'tokens.json');
  const all = testToken({ scopes: ['read', 'write', 'admin'] });
  const limited = testToken({ prefixes: ['a/'] });
  const reader = testToken({ scopes: ['read'] });
  writeTokens(file, [all, limited, reader]);
  const given = [all, all, all, limited, reader].map(({ token }) => authorization(token));
  const wrong = ['Bearer mcg_00_x', 'Basic YTpi', 'Bearer', ''].map((value) => ({
    Authorization: value,
  }));
  args.push('--token-file', file);
  return { args, credentials: [...given, {}, ...wrong] };
}

async function playTurns(players: Players, credentials: readonly Headers[], options: GameOptions) {
  const { seed, requests, progress } = options;
  const statuses = new Map<number, number>();
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  let turns = 0;
  let played = 0;
  let valid = 0;
  async function turn(random: Random): Promise<void> {
    const left = requests - played;
    const { method, headers } = { method: 'Authorization', headers: random.pick(credentials) };
    const lines = Object.values(headers).map((value) => `${method}: ${value}`);
    const raw = rawGame(random, lines, left);
    const inTurn = Array.from({ length: Math.min(VALID_IN_TURN, left - raw.requests) }, () =>
      validRequest(random),
    );
    played += raw.requests + inTurn.length;
    for (const status of await players.raw(raw)) count(status);
    for (const request of inTurn) {
      count(
        await players.valid({
          ...request,
          headers: { ...request.headers, ...random.pick(credentials) },
        }),
      );
      valid += 1;
    }
    progress?.(played);
  }
  async function player(): Promise<void> {
    while (played < requests) {
      const turnSeed = seed + turns;
      turns += 1;
      await turn(createRandom(turnSeed)).catch((cause: unknown) => {
        throw new Error(`a fault in the turn with --seed ${turnSeed}`, { cause });
      });
    }
  }
  await Promise.all(Array.from({ length: PLAYERS }, player));
  return { statuses, valid };
}
