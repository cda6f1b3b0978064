import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startGateway } from '../helpers/gateway.ts';
import { createInjection, injectingLibrary } from '../helpers/injecting.ts';
import { modelFaults } from '../model/faults.ts';
import { play } from '../model/play.ts';

/** `npm run test:model` plays for longer, and tells the seed of a game that was lost. */
const OPERATIONS = 4_000;

describe('what the gateway holds is what was done to it', () => {
  const seed = Date.now() % 1_000_000;

  it(`on the embedded engine (seed ${seed})`, async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.kill());
    await play({ url: gateway.url, seed, operations: OPERATIONS });
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });

  it(`on one that is slow, fails and lies (seed ${seed})`, async (t) => {
    const injection = createInjection();
    t.after(() => injection.dispose());
    const gateway = await startGateway({
      args: ['--engine', await injectingLibrary()],
      env: injection.env,
    });
    t.after(() => gateway.kill());
    await play({
      url: gateway.url,
      seed,
      operations: OPERATIONS,
      faults: true,
      resume: () => injection.set(modelFaults),
      calm: () => injection.clear(),
    });
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });
});
