import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { games, playGame } from '../model/games.ts';

/** `npm run test:model` plays for longer, and tells the seed of a game that was lost. */
const OPERATIONS = 1_000;

describe('what the gateway holds is what was done to it', () => {
  const seed = Date.now() % 1_000_000;
  for (const game of games) {
    it(`${game.where} (seed ${seed})`, () => playGame(game, { seed, operations: OPERATIONS }));
  }
});

describe('the consistency game', () => {
  it('finds the older blocks that --stale-read-ms allows', async () => {
    const game = games.find(({ consistency }) => consistency);
    assert.ok(game);
    const stale = { ...game, args: [...game.args, '--stale-read-ms', '1000'] };
    // With this seed, a long value often replaces a value of the same length.
    await assert.rejects(playGame(stale, { seed: 4, operations: OPERATIONS }), /stale read: GET/);
  });
});
