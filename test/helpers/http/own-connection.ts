/** A client with one connection at a time, which knows the worker that serves it. */
import http from 'node:http';

export interface OwnAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | undefined;
  /** Whether the client opened a new connection for this request. */
  readonly opened: boolean;
}

export interface OwnConnection {
  /** Rejects with the error of the connection when that breaks. */
  ask(method: string, path: string, body?: string, type?: string): Promise<OwnAnswer>;
  /** Resolves with the device of the worker that serves the connection; the worker reports it. */
  device(): Promise<number>;
  /** Closes the connection; the next request opens a new one. */
  close(): void;
}

export function openOwnConnection(url: string): OwnConnection {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  function ask(method: string, path: string, body?: string, type?: string): Promise<OwnAnswer> {
    const headers = type === undefined ? {} : { 'content-type': type };
    return new Promise((resolve, reject) => {
      const request = http.request(`${url}${path}`, { agent, method, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const opened = !request.reusedSocket;
          const retryAfter = response.headers['retry-after'];
          resolve({ status: response.statusCode ?? 0, body: text, retryAfter, opened });
        });
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  return {
    ask,
    async device() {
      const { status, body } = await ask('GET', '/readyz');
      if (status !== 200) throw new Error(`/readyz: ${status} ${body}`);
      return (JSON.parse(body) as { device: number }).device;
    },
    close: () => agent.destroy(),
  };
}
