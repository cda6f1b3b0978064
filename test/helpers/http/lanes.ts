import { after, before, describe } from 'node:test';
import { type GatewayOptions, type ReadyGateway, startGateway } from '../process/gateway.ts';
import { sharedGateway } from '../process/shared-gateway.ts';

/**
 * Small limits that suit most tests: an object fills a quarter of the arena, and eight of the largest
 * objects do not fit into the pool.
 */
export const smallLimits = [
  ...['--max-object-bytes', '8MiB', '--unsized-bytes', '1MiB'],
  ...['--arena-bytes', '32MiB', '--pool-bytes', '48MiB'],
] as const;

/** Runs a suite with the gateway that all suites of this process with the same flags share. */
export function withSharedGateway(
  args: readonly string[],
  suite: (gateway: () => ReadyGateway) => void,
): void {
  describeWith('with a shared gateway', () => sharedGateway(args), undefined, suite);
}

/** Runs a suite with its own gateway, which must end cleanly on SIGTERM. */
export function withGateway(
  options: GatewayOptions | (() => Promise<GatewayOptions>),
  suite: (gateway: () => ReadyGateway) => void,
): void {
  withLanes(['on'], options, suite);
}

/**
 * Runs a suite twice, with the fast lane and without, each time with its own gateway. Use it for tests
 * that depend on the order of events, such as disconnects; test/integration/lanes checks that both send
 * the same responses.
 */
export function withBothLanes(
  options: GatewayOptions | (() => Promise<GatewayOptions>),
  suite: (gateway: () => ReadyGateway) => void,
): void {
  withLanes(['on', 'off'], options, suite);
}

function withLanes(
  lanes: readonly string[],
  options: GatewayOptions | (() => Promise<GatewayOptions>),
  suite: (gateway: () => ReadyGateway) => void,
): void {
  for (const lane of lanes) {
    const start = async () => {
      const { args = [], env = {} } = typeof options === 'function' ? await options() : options;
      return startGateway({
        args: ['--fast-lane', lane, ...args],
        env: { GATEWAY_DEBUG_ARENA: '1', ...env },
      });
    };
    describeWith(`with the fast lane ${lane}`, start, (gateway) => gateway.kill(), suite);
  }
}

function describeWith(
  name: string,
  start: () => Promise<ReadyGateway>,
  stop: ((gateway: ReadyGateway) => Promise<void>) | undefined,
  suite: (gateway: () => ReadyGateway) => void,
): void {
  describe(name, () => {
    let gateway: ReadyGateway | undefined;
    before(async () => {
      gateway = await start();
    });
    after(() => gateway && stop?.(gateway));
    suite(() => {
      if (gateway === undefined) throw new Error('the gateway has not started');
      return gateway;
    });
  });
}
