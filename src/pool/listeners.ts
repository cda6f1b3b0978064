/** All places to listen on, opened together: either every one of them, or none. */
import type { Config } from '../config.ts';
import type { ListenAddress } from '../config-listen.ts';
import { listen, type TcpListener } from './listener.ts';
import { ListenError, type Listener, type OnConnection } from './open-server.ts';
import { listenUnix } from './unix-listener.ts';

export interface Listeners {
  /** Of each, in the order of the configuration. */
  readonly addresses: readonly string[];
  /** The first with a port, for what can name but one; there may be none. */
  readonly tcp: TcpListener | undefined;
  /** Accepts nothing more. */
  close(): void;
}

type Places = Pick<Config, 'host' | 'port' | 'listen' | 'socketMode'>;

/** @throws ListenError that says of each place that cannot be opened why; none is open then. */
export async function openListeners(
  config: Places,
  onConnection: OnConnection,
): Promise<Listeners> {
  const open = (place: ListenAddress): Promise<TcpListener | Listener> =>
    'path' in place
      ? listenUnix(place.path, config.socketMode, onConnection)
      : listen(place.host, place.port, onConnection);
  const results = await Promise.allSettled(placesOf(config).map(open));
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  const close = () => {
    for (const listener of opened) listener.close();
  };
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  if (reasons.length > 0) {
    close();
    throw failure(reasons);
  }
  return {
    addresses: opened.map(({ address }) => address),
    tcp: opened.find((listener): listener is TcpListener => 'port' in listener),
    close,
  };
}

/** `--host` and `--port` are short for one place. */
function placesOf({ host, port, listen: places }: Places): readonly ListenAddress[] {
  return places.length > 0 ? places : [{ host, port }];
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
