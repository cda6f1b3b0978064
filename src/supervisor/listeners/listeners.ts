/** All places to listen on, opened together: either every one of them, or none. */
import { setTimeout as elapse, setImmediate as nextTurn } from 'node:timers/promises';
import type { Config } from '../../config/config.ts';
import { type ListenAddress, placesOf, schemeOf } from '../../config/listen.ts';
import { noteTls } from '../../messages/listening.ts';
import { needsIPv6Only, type Place, sharedWith } from './address-conflicts.ts';
import { listen, lookUp, type PortAddress, type TcpListener } from './listener.ts';
import type { DescriptorCalls } from './listening-socket.ts';
import { ListenError, type Listener, type OnConnection } from './open-server.ts';
import { listenUnix } from './unix-listener.ts';

export interface Listeners {
  /** The address of each listener but those of `admin:`, in the order of the configuration. */
  readonly addresses: readonly string[];
  /** The addresses of `admin:`, which the supervisor serves. */
  readonly adminAddresses: readonly string[];
  /** The first of `addresses` with a port; undefined without any. */
  readonly tcp: TcpListener | undefined;
  /** Descriptors of all listeners but those of `admin:`, for workers to inherit; empty where one is unknown. */
  readonly descriptors: readonly number[];
  /** Keeps the sockets open from now on, so that workers can accept in the place of the supervisor. */
  keep(calls: DescriptorCalls): void;
  /** Whether the supervisor accepts; without `keep` it does always. @throws without a free descriptor */
  setAccepting(isWanted: boolean): void;
  /** Whether a connection waits in a queue of the kernel. */
  hasWaiting(): boolean;
  /** Takes the connections that the kernel has accepted already, and closes. */
  finish(): Promise<void>;
  /** Accepts nothing more, in any process. */
  close(): void;
}

type Places = Pick<Config, 'host' | 'port' | 'listen' | 'socketMode'>;

/**
 * `onAdmin` takes the connections of `admin:`.
 * @throws ListenError with the reason for each place that cannot be opened; then none is open.
 */
export async function openListeners(
  config: Places,
  onConnection: OnConnection,
  onAdmin: OnConnection = (socket) => socket.destroy(),
): Promise<Listeners> {
  let accepted = 0;
  const take: OnConnection = (socket) => {
    accepted += 1;
    onConnection(socket);
  };
  const takers = { tls: notingTls(take), admin: onAdmin };
  const places = await Promise.allSettled(placesOf(config).map(find));
  const found = fulfilled(places);
  const open = (place: Place): Promise<TcpListener | Listener> =>
    'path' in place
      ? listenUnix(place.path, config.socketMode, take)
      : listen(place, place.scheme ? takers[place.scheme] : take, needsIPv6Only(place, found));
  const results = await Promise.allSettled(found.map((place) => openWhenFree(() => open(place))));
  const opened = fulfilled(results);
  const close = () => {
    for (const listener of opened) listener.close();
  };
  const taken = found.filter((_, index) => results[index]?.status === 'fulfilled');
  const failures = results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    // The gateway itself may hold the address.
    const own = sharedWith(found[index], taken);
    return [own === undefined ? (result.reason as unknown) : new ListenError(own)];
  });
  const reasons = [...rejected(places), ...failures];
  if (reasons.length > 0) {
    close();
    throw failure(reasons);
  }
  const { serving, admin } = byScheme(opened, found);
  const sockets = serving.map(({ socket }) => socket);
  return {
    get descriptors() {
      const known = sockets.flatMap(({ descriptor }) => descriptor ?? []);
      return known.length === sockets.length ? known : [];
    },
    keep(calls) {
      for (const socket of sockets) socket.keep(calls);
    },
    setAccepting(isWanted) {
      for (const socket of sockets) socket.setAccepting(isWanted);
    },
    hasWaiting: () => sockets.some((socket) => socket.hasWaiting()),
    addresses: serving.map(({ address }) => address),
    adminAddresses: admin.map(({ address }) => address),
    tcp: serving.find((listener): listener is TcpListener => 'port' in listener),
    async finish() {
      await quiet(() => accepted);
      close();
    },
    close,
  };
}

const notingTls =
  (take: OnConnection): OnConnection =>
  (socket) => {
    noteTls(socket);
    take(socket);
  };

/** Distinguishes the listeners of the workers from those of `admin:`; both lists have the same order. */
function byScheme(listeners: readonly (TcpListener | Listener)[], places: readonly Place[]) {
  const isAdmin = places.map((place) => schemeOf(place) === 'admin');
  return {
    serving: listeners.filter((_, index) => isAdmin[index] !== true),
    admin: listeners.filter((_, index) => isAdmin[index] === true),
  };
}

/** The workers of a gateway that was killed close its listeners within this time, unless they are busy. */
const maxInUseMs = 500;
const inUsePollMs = 25;

/** Opens a listener; waits for a moment while another process listens there. */
async function openWhenFree<T>(open: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + maxInUseMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const isInUse = error instanceof ListenError && error.isInUse;
      if (!isInUse || performance.now() >= untilMs) throw error;
      await elapse(inUsePollMs);
    }
  }
}

/**
 * The kernel resets the connections in its queue when a listener closes. A client that connects
 * again right after a response does so within this many checks.
 */
const quietChecks = 5;
const pollMs = 5;
const maxChecks = 60;

/**
 * Waits until no connection has arrived during some checks. Each check takes a turn of the loop or more,
 * since libuv accepts one connection in a turn. By the clock alone, a process that had to wait for
 * its processor would miss connections that are in the kernel's queue.
 */
async function quiet(accepted: () => number): Promise<void> {
  let before = accepted();
  let silent = 0;
  for (let checks = 0; silent < quietChecks && checks < maxChecks; checks += 1) {
    await elapse(pollMs);
    // Timers run before new connections are accepted.
    await nextTurn();
    silent = accepted() === before ? silent + 1 : 0;
    before = accepted();
  }
}

async function find(place: ListenAddress): Promise<PortAddress | { readonly path: string }> {
  return 'path' in place ? place : await lookUp(place);
}

function fulfilled<T>(results: readonly PromiseSettledResult<T>[]): T[] {
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

function rejected(results: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
}

/** One error for all places; an unexpected error is passed on as it is. */
function failure(reasons: readonly unknown[]): unknown {
  const expected = reasons.filter((reason) => reason instanceof ListenError);
  if (expected.length < reasons.length) {
    return reasons.find((reason) => !(reason instanceof ListenError));
  }
  if (expected.length === 1) return expected[0];
  return new ListenError(expected.map(({ message }) => message).join('\n'));
}
