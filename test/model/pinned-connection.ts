/** A connection to the worker of one device, for requests one after the other. */
import { Agent, request } from 'node:http';

export interface PinnedResponse {
  readonly status: number;
  readonly body: Buffer;
}

export interface PinnedConnection {
  /** The body is not read before `readBody`, so that the worker keeps its block until then. */
  send(
    method: string,
    path: string,
    options?: { readonly body?: Buffer; readonly readBody?: Promise<void> | undefined },
  ): Promise<PinnedResponse>;
  close(): void;
}

export async function connectTo(url: string, device: number): Promise<PinnedConnection> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const connection = open(url);
    const { body } = await connection.send('GET', '/readyz');
    if ((JSON.parse(body.toString()) as { device: number }).device === device) return connection;
    connection.close();
  }
  throw new Error(`no connection reached the worker of device ${device}`);
}

function open(url: string): PinnedConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send: (method, path, { body, readBody } = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = request(`${url}${path}`, { agent, method }, (response) => {
          const read = async () => {
            await readBody;
            const chunks: Buffer[] = [];
            for await (const chunk of response) chunks.push(chunk as Buffer);
            return { status: response.statusCode ?? 0, body: Buffer.concat(chunks) };
          };
          read().then(resolve, reject);
        });
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}
