/** The requests of one client: sent in pieces of any size, and cut off where the caller says so. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { Random } from './values.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** `left`: the client disconnected. `broken`: the gateway cut off the response. */
export type Outcome = Answer | 'left' | 'broken';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Whether the request has a Content-Length. */
  readonly sized?: boolean;
  /** Disconnects after this number of bytes of the body were sent, or of the response received. */
  readonly disconnect?: Disconnect | undefined;
}

export type Disconnect = { readonly sent: number } | { readonly received: number };

export interface Connections {
  /** Rejects when the connection breaks before the response. */
  send(call: Call): Promise<Outcome>;
  close(): void;
}

export function createConnections(url: string, random: Random): Connections {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const { hostname, port } = new URL(url);

  function send({
    method,
    path,
    headers = {},
    body,
    sized = true,
    disconnect,
  }: Call): Promise<Outcome> {
    const sent = disconnect !== undefined && 'sent' in disconnect ? disconnect.sent : undefined;
    const wanted =
      disconnect !== undefined && 'received' in disconnect ? disconnect.received : Infinity;
    return new Promise((resolve, reject) => {
      let left = false;
      const goAway = (): void => {
        left = true;
        req.destroy();
      };
      const req = request({ agent, hostname, port, method, path, headers }, (res) => {
        const { statusCode: status = 0, headers } = res;
        const chunks: Buffer[] = [];
        let received = 0;
        if (wanted === 0) goAway();
        res.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          received += chunk.length;
          if (received >= wanted) goAway();
        });
        // After a disconnect `end` is still emitted, though chunks may be missing.
        res.on('end', () =>
          resolve(left ? 'left' : { status, headers, body: Buffer.concat(chunks) }),
        );
        res.on('error', () => undefined);
        res.on('close', () => resolve(left ? 'left' : 'broken'));
      });
      req.on('error', (cause) => {
        if (left) resolve('left');
        else reject(new Error(`${method} ${path} was not answered`, { cause }));
      });
      if (body === undefined) {
        req.end(sent === undefined ? undefined : goAway);
        return;
      }
      if (sized) req.setHeader('Content-Length', body.length);
      const to = sent ?? body.length;
      const middle = random.between(0, to + 1);
      req.write(body.subarray(0, middle));
      if (sent === undefined) req.end(body.subarray(middle));
      else req.write(body.subarray(middle, to), goAway);
    });
  }

  return { send, close: () => agent.destroy() };
}
