import { after, before, describe } from 'node:test';
import { type GatewayOptions, type ReadyGateway, startGateway } from './gateway.ts';

/** Runs a suite with a gateway of its own, which must end cleanly when it is told to stop. */
export function withGateway(
  options: GatewayOptions | (() => Promise<GatewayOptions>),
  suite: (gateway: () => ReadyGateway) => void,
): void {
  withLanes(['on'], options, suite);
}

/**
 * Runs a suite twice, with the fast lane and without: the lane may change no answer. Each time the
 * suite gets a gateway of its own, which must end cleanly when it is told to stop.
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
    describe(`with the fast lane ${lane}`, () => {
      let gateway: ReadyGateway | undefined;
      before(async () => {
        const { args = [], env = {} } = typeof options === 'function' ? await options() : options;
        gateway = await startGateway({
          args: ['--fast-lane', lane, ...args],
          env: { GATEWAY_DEBUG_ARENA: '1', ...env },
        });
      });
      after(() => gateway?.kill());
      suite(() => {
        if (gateway === undefined) throw new Error('the gateway has not started');
        return gateway;
      });
    });
  }
}
