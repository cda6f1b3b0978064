import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { games, playGame } from '../fuzz/games.ts';
import { rawGame } from '../fuzz/raw-bytes.ts';
import { validRequest } from '../fuzz/valid-requests.ts';
import { createInjection, injectingLibrary } from '../helpers/engine/injecting.ts';
import { createRandom } from '../model/values.ts';

/** Of each game; `npm run fuzz` plays more. */
const REQUESTS = 3000;

describe('valid and almost valid HTTP', () => {
  const seed = 1 + (Date.now() % 1_000_000);
  for (const game of games) {
    it(`causes no fault and leaves nothing behind: ${game.name} (seed ${seed})`, async () => {
      await playGame(game, { seed, requests: REQUESTS });
    });
  }
});

describe('the fuzzer', () => {
  const [plain] = games;
  assert.ok(plain);

  it('finds a response that is a fault of the gateway, and names its seed', async () => {
    const injection = createInjection();
    const args = ['--engine', await injectingLibrary()];
    const onStart = () => injection.set([{ on: '*', code: -3103 }]);
    const options = { seed: 1, requests: REQUESTS, args, env: injection.env, onStart };
    await assert.rejects(playGame(plain, options), (error: Error) => {
      assert.match(error.message, /with --seed \d+/);
      assert.match(String(error.cause), /status 500 after/);
      return true;
    });
    injection.dispose();
  });

  it('finds a worker that has been replaced', async () => {
    let killed = false;
    const onStart = (worker: number) => {
      killed = process.kill(worker, 'SIGKILL');
    };
    await assert.rejects(playGame(plain, { seed: 1, requests: 50, onStart }));
    assert.ok(killed);
  });

  it('repeats its requests with the same seed', () => {
    const turn = (seed: number) => {
      const random = createRandom(seed);
      return [rawGame(random, [], 100), validRequest(random)];
    };
    assert.deepEqual(turn(5), turn(5));
    assert.notDeepEqual(turn(5), turn(6));
  });

  it('is not started with an invalid number', () => {
    for (const flag of ['--requests=0', '--requests=1e3', '--seed=-1', '--requests=1000000001']) {
      const args = ['--import', 'tsx', 'test/fuzz/run.ts', flag];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      assert.equal(status, 1, flag);
      assert.match(stderr, /no whole number from 1 to 1000000000/);
    }
  });
});
