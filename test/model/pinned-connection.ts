/** A connection to the worker of one device. It sends one request after the other. */
import { Agent, type IncomingMessage, request } from 'node:http';

export interface PinnedResponse {
  readonly status: number;
  /** Until the client reads the body, the worker keeps what the kernel's buffers do not take. */
  body(): Promise<Buffer>;
}

export interface PinnedConnection {
  /** Resolves when the response's headers have arrived. */
  send(method: string, path: string, body?: Buffer): Promise<PinnedResponse>;
  close(): void;
}

export async function connectTo(url: string, device: number): Promise<PinnedConnection> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const connection = open(url);
    const { body } = await connection.send('GET', '/readyz');
    const { device: reached } = JSON.parse((await body()).toString()) as { device: number };
    if (reached === device) return connection;
    connection.close();
  }
  throw new Error(`no connection reached the worker of device ${device}`);
}

function open(url: string): PinnedConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const outgoing = request(`${url}${path}`, { agent, method }, (response) =>
          resolve({ status: response.statusCode ?? 0, body: () => readBody(response) }),
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
