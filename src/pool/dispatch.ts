/**
 * Who gets a connection: the ready workers in turn, else those whose engine calls hang, which say so
 * at once; else the line before them, else the stand-by.
 */
import type { Socket } from 'node:net';
import type { Standby } from './standby.ts';
import { createTurns } from './turns.ts';
import { createWaitingLine, longestLineHere } from './waiting-line.ts';

/** A place in the pool; `handOver` answers false when it takes no connection now. */
interface Place {
  /** Whether its worker takes connections, however busy, and answers. */
  readonly serving: boolean;
  /** Whether its engine calls hang: it has its connections to itself, while another can take them. */
  readonly degraded: boolean;
  handOver(socket: Socket): boolean;
}

/** How often the line is looked at while it waits for somebody's turn. */
const lookMs = 100;

export interface DispatchOptions {
  readonly places: readonly Place[];
  readonly standby: () => Promise<Standby>;
  /** How long a connection waits for a worker that lives. */
  readonly patienceMs: number;
}

export interface Dispatch {
  /** Passes a paused connection on. */
  accept(socket: Socket): void;
  /** Whoever comes waits from now on, until `release`. */
  hold(): void;
  release(): void;
  /** To be called when a place may take a connection again, or takes none any more. */
  turn(): void;
  /** Whether any place is. */
  readonly serving: boolean;
  readonly waitingConnections: number;
  readonly standbyConnections: number;
}

export function createDispatch({ places, standby, patienceMs }: DispatchOptions): Dispatch {
  const line = createWaitingLine({
    mostConnections: longestLineHere(),
    patienceMs,
    onTired: standBy,
  });
  const healthy = () => places.some((place) => place.serving && !place.degraded);
  const turns = createTurns<Socket>(
    places.map((place) => ({
      get serving() {
        return place.serving && !(place.degraded && healthy());
      },
      handOver: (socket) => !(place.degraded && healthy()) && place.handOver(socket),
    })),
  );
  let later: NodeJS.Timeout | undefined;
  let standbyConnections = 0;
  let held = false;

  const serving = () => places.some((place) => place.serving);

  function handOver(socket: Socket): boolean {
    const outcome = turns.give(socket);
    // No event tells that somebody has been waited for long enough.
    if (outcome === 'wait') later ??= setTimeout(serveLine, lookMs).unref();
    return outcome === 'given';
  }

  function serveLine(): void {
    clearTimeout(later);
    later = undefined;
    if (held) return;
    line.serve((socket) => {
      if (handOver(socket)) return true;
      if (serving()) return false;
      // To wait for a worker that starts may take long; a client hears at once that there is none.
      standBy(socket);
      return true;
    });
  }

  function standBy(socket: Socket): void {
    standbyConnections += 1;
    void standby().then((answers) => answers.accept(socket));
  }

  return {
    accept(socket) {
      if (!held && line.length === 0 && handOver(socket)) return;
      if (!(held || serving()) || !line.join(socket)) standBy(socket);
    },
    hold() {
      held = true;
    },
    release() {
      held = false;
      serveLine();
    },
    turn: serveLine,
    get serving() {
      return serving();
    },
    get waitingConnections() {
      return line.length;
    },
    get standbyConnections() {
      return standbyConnections;
    },
  };
}
