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
