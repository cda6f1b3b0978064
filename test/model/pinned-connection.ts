/** A connection to the worker of one device. It sends one request after another. */
import { Agent, type IncomingMessage, request } from 'node:http';

export interface PinnedResponse {
  readonly status: number;
  /** Until the client reads the body, the worker holds the bytes that do not fit the kernel's buffers. */
  body(): Promise<Buffer>;
  /** Reads the body into memory of the connection, where the next view replaces it. */
  view(): Promise<Buffer>;
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
  // The kernel prepares each page of new memory, which takes longer than the copy of a long body.
  let memory = Buffer.alloc(0);
  const view = async (response: IncomingMessage): Promise<Buffer> => {
    const bytes = Number(response.headers['content-length']);
    if (memory.length < bytes) memory = Buffer.allocUnsafeSlow(bytes);
    let end = 0;
    for await (const chunk of response) end += (chunk as Buffer).copy(memory, end);
    return memory.subarray(0, end);
  };
  return {
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const outgoing = request(`${url}${path}`, { agent, method }, (response) =>
          resolve({
            status: response.statusCode ?? 0,
            body: () => readBody(response),
            view: () => view(response),
          }),
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
