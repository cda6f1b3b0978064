/** Requests over real connections to a server that consists of the parts under test only. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { HeldBytes } from '../../../src/http/body/held-bytes.ts';
import { Clients } from '../../../src/http/clients/clients.ts';
import { createConnectionStates } from '../../../src/http/connection/connection-state.ts';
import type { Transfer } from '../../../src/http/connection/transfer-watch.ts';
import { type Exchange, type Gateway, newExchange } from '../../../src/http/exchange.ts';

export type Serve = (exchange: Exchange) => void | Promise<void>;

export interface ExchangeServer {
  /** Serves the next requests. */
  serve: Serve;
  readonly gateway: Gateway;
  /** Watched transfers; a test may cut one off. */
  readonly watched: ReadonlySet<Transfer>;
  /** Counted exchanges, in their order. */
  readonly ended: readonly Exchange[];
  connect(): Promise<Socket>;
  close(): Promise<void>;
}

export async function startExchanges(
  limits: Partial<Gateway['limits']> = {},
): Promise<ExchangeServer> {
  const watched = new Set<Transfer>();
  const ended: Exchange[] = [];
  const gateway = {
    draining: false,
    heldText: new HeldBytes(4 * (limits.batchJsonBytes ?? 0)),
    limits: { keepAliveMs: 5000, ...limits },
    watch: {
      begin(cut: Transfer['cut'], measure?: Transfer['measure']) {
        const transfer: Transfer = {
          bytes: 0,
          startedMs: 0,
          lastBytes: 0,
          lastMovedMs: 0,
          isActive: true,
          previous: undefined,
          next: undefined,
          pausedMs: undefined,
          measure,
          holdsRoom: true,
          peer: undefined,
          window: undefined,
          cut,
        };
        watched.add(transfer);
        return transfer;
      },
      pause: (transfer: Transfer) => void watched.delete(transfer),
      resume: (transfer: Transfer) => void watched.add(transfer),
      end: (transfer: Transfer) => void watched.delete(transfer),
    },
    clients: new Clients({ inFlight: 0, bytesPerSecond: 0 }),
    onEnd: (exchange: Exchange) => void ended.push(exchange),
  } as unknown as Gateway;
  const states = createConnectionStates();
  const server = createServer((req, res) => {
    const connection = states.of(req.socket);
    const exchange: Exchange = {
      ...newExchange(gateway, req, res, connection, false),
      requestId: 'request-1',
    };
    void exchanges.serve(exchange);
  });
  server.on('checkContinue', (req, res) => server.emit('request', req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const exchanges: ExchangeServer = {
    serve: () => undefined,
    gateway,
    watched,
    ended,
    async connect() {
      const { port } = server.address() as AddressInfo;
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return exchanges;
}
