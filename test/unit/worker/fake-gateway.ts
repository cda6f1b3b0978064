import type { RunningGateway } from '../../../src/worker/running-gateway.ts';

/** A gateway that records what is done to it. */
export function fakeGateway(behaviour: Partial<RunningGateway> = {}) {
  const did: string[] = [];
  const gateway: RunningGateway = {
    facts: {
      engine: 'fake',
      embedded: true,
      device: 0,
      serviceId: 0,
      arenaBytes: 0,
      bareHandles: true,
      accepts: false,
    },
    accept: () => void did.push('accept'),
    connections: 0,
    drain: () => Promise.resolve(true),
    destroyAll: () => void did.push('destroy all'),
    remaining: () => ({ requests: 0, calls: 0 }),
    health: () => ({ inFlight: 0, late: 0, stuck: false }),
    announceStop: () => void did.push('announce stop'),
    reconfigure: ({ logLevel }) => void did.push(`log level ${logLevel}`),
    collect: () => Promise.resolve([]),
    closeEngine: () => Promise.resolve(true),
    ...behaviour,
  };
  return { gateway, did };
}
