/** Clients that open a connection for each request. */
import net from 'node:net';
import { setTimeout as elapse } from 'node:timers/promises';

export interface Outcome {
  /** The status of the response, or the code of the error of the connection. */
  readonly result: number | string;
  /** The device of the worker that responded. */
  readonly device: number | undefined;
}

/** A request for /readyz on a connection of its own. Never rejects. */
export function askOnce(where: net.NetConnectOpts): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = net.connect(where);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ result: error.code ?? error.message, device: undefined });
    });
    socket.on('close', () => {
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
      const device = /"device":(\d+)/.exec(text)?.[1];
      resolve({
        result: status === 0 ? 'closed' : status,
        device: device === undefined ? undefined : Number(device),
      });
    });
    socket.write('GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  });
}

export interface Load {
  /** Requests that have ended so far. */
  readonly outcomes: readonly Outcome[];
  /** Ends after the requests that are in flight. */
  stop(): Promise<readonly Outcome[]>;
}

/** `clients` that send one request after another, each on a new connection, to `places` in turn. */
export function startLoad(places: readonly net.NetConnectOpts[], clients: number): Load {
  const outcomes: Outcome[] = [];
  let isOver = false;
  let next = 0;
  async function run(): Promise<void> {
    while (!isOver) {
      next += 1;
      const outcome = await askOnce(places[next % places.length] as net.NetConnectOpts);
      outcomes.push(outcome);
      // A client that is refused must not keep the processor from the gateway.
      if (typeof outcome.result === 'string') await elapse(10);
    }
  }
  const running = Promise.all(Array.from({ length: clients }, run));
  return {
    outcomes,
    async stop() {
      isOver = true;
      await running;
      return outcomes;
    },
  };
}

/** The number of outcomes for each result. */
export function countResults(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result } of outcomes) counts[result] = (counts[result] ?? 0) + 1;
  return counts;
}
