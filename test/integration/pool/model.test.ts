import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { games, playGame } from '../../model/games.ts';

/** `npm run test:model` plays for longer, and prints the seed of a lost game. */
const OPERATIONS = 400;
/** Ten writes of the consistency game. */
const CONSISTENCY_OPERATIONS = 1_000;

describe('the gateway behaves as the model', () => {
  const seed = Date.now() % 1_000_000;
  for (const game of games) {
    const operations = game.consistency ? CONSISTENCY_OPERATIONS : OPERATIONS;
    it(`${game.where} (seed ${seed})`, () => playGame(game, { seed, operations }));
  }
});

describe('the consistency game', () => {
  it('finds the older blocks that --stale-read-ms allows', async () => {
    const game = games.find(({ consistency }) => consistency);
    assert.ok(game);
    const stale = { ...game, args: [...game.args, '--stale-read-ms', '1000'] };
    // With this seed, a long value often replaces a value of the same length.
    await assert.rejects(
      playGame(stale, { seed: 4, operations: CONSISTENCY_OPERATIONS }),
      /stale read: GET/,
    );
  });
});
