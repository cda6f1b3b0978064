/**
 * Gateways that all test files of one process share, one for each set of flags: the start of a gateway
 * takes more processor time than the tests of most files. A test that counts the requests of a gateway,
 * fills its pool, stops it or replaces its worker has its own.
 */
import { after } from 'node:test';
import { type ReadyGateway, startGateway } from './gateway.ts';

interface Shared {
  readonly gateway: Promise<ReadyGateway>;
  ended: boolean;
}

const started = new Map<string, Shared>();

// The last test of the process has ended.
after(async () => {
  for (const { gateway } of started.values()) await (await gateway).kill();
});

/** Returns the running gateway with these flags; starts one if there is none, or if it has ended. */
export function sharedGateway(args: readonly string[]): Promise<ReadyGateway> {
  const key = JSON.stringify(args);
  const found = started.get(key);
  if (found !== undefined && !found.ended) return found.gateway;
  const gateway = startGateway({ args, env: { GATEWAY_DEBUG_ARENA: '1' } });
  const shared: Shared = { gateway, ended: false };
  started.set(key, shared);
  const end = () => {
    shared.ended = true;
  };
  gateway.then(({ ended }) => ended.then(end), end);
  return gateway;
}
