/** All places to listen on, opened together: either every one of them, or none. */
import { setTimeout as elapse, setImmediate as nextTurn } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { ListenAddress } from '../config-listen.ts';
import { listen, lookUp, type PortPlace, type TcpListener } from './listener.ts';
import { ListenError, type Listener, type OnConnection } from './open-server.ts';
import { needsIPv6Only, type Place, sharedWith } from './same-place.ts';
import { listenUnix } from './unix-listener.ts';

export interface Listeners {
  /** Of each, in the order of the configuration. */
  readonly addresses: readonly string[];
  /** The first with a port, for what can name but one; there may be none. */
  readonly tcp: TcpListener | undefined;
  /** Takes what the kernel has accepted already, and closes. */
  finish(): Promise<void>;
  /** Accepts nothing more. */
  close(): void;
}

type Places = Pick<Config, 'host' | 'port' | 'listen' | 'socketMode'>;

/** @throws ListenError that says of each place that cannot be opened why; none is open then. */
export async function openListeners(
  config: Places,
  onConnection: OnConnection,
): Promise<Listeners> {
  let accepted = 0;
  const take: OnConnection = (socket) => {
    accepted += 1;
    onConnection(socket);
  };
  const places = await Promise.allSettled(placesOf(config).map(find));
  const found = fulfilled(places);
  const open = (place: Place): Promise<TcpListener | Listener> =>
    'path' in place
      ? listenUnix(place.path, config.socketMode, take)
      : listen(place, take, needsIPv6Only(place, found));
  const results = await Promise.allSettled(found.map(open));
  const opened = fulfilled(results);
  const close = () => {
    for (const listener of opened) listener.close();
  };
  const taken = found.filter((_, index) => results[index]?.status === 'fulfilled');
  const failures = results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    // It is no stranger who has it.
    const own = sharedWith(found[index], taken);
    return [own === undefined ? (result.reason as unknown) : new ListenError(own)];
  });
  const reasons = [...rejected(places), ...failures];
  if (reasons.length > 0) {
    close();
    throw failure(reasons);
  }
  return {
    addresses: opened.map(({ address }) => address),
    tcp: opened.find((listener): listener is TcpListener => 'port' in listener),
    async finish() {
      await quiet(() => accepted);
      close();
    },
    close,
  };
}

/**
 * Connections whose clients believe that they were accepted are reset when a listener closes. Clients
 * that have just been answered come again before so many looks are over, if they come again at once.
 */
const quietLooks = 5;
const lookMs = 5;
const mostLooks = 60;

/**
 * Waits until nobody has come for some looks, of which each is a turn of the loop or more: libuv accepts
 * one connection in a turn. By the clock alone, a process that had to wait for its processor would
 * believe that nobody came meanwhile.
 */
async function quiet(accepted: () => number): Promise<void> {
  let before = accepted();
  let silent = 0;
  for (let looks = 0; silent < quietLooks && looks < mostLooks; looks += 1) {
    await elapse(lookMs);
    // A timer is served before what has come.
    await nextTurn();
    silent = accepted() === before ? silent + 1 : 0;
    before = accepted();
  }
}

/** `--host` and `--port` are short for one place. */
function placesOf({ host, port, listen: places }: Places): readonly ListenAddress[] {
  return places.length > 0 ? places : [{ host, port }];
}

async function find(place: ListenAddress): Promise<PortPlace | { readonly path: string }> {
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

/** One error for all; what nobody foresaw is passed on as it is. */
function failure(reasons: readonly unknown[]): unknown {
  const foreseen = reasons.filter((reason) => reason instanceof ListenError);
  if (foreseen.length < reasons.length) {
    return reasons.find((reason) => !(reason instanceof ListenError));
  }
  if (foreseen.length === 1) return foreseen[0];
  return new ListenError(foreseen.map(({ message }) => message).join('\n'));
}
