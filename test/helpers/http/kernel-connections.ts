/** Connections of 127.0.0.1 as the kernel lists them (proc(5)), by the ports of the gateway and the client. */
import { readFile } from 'node:fs/promises';

/** Returns the gateway's end of a connection, as the kernel lists it. */
async function connectionOf(port: number, clientPort: number): Promise<string[] | undefined> {
  const address = (at: number) => `0100007F:${at.toString(16).toUpperCase().padStart(4, '0')}`;
  const table = await readFile('/proc/net/tcp', 'utf8');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, from, to]) => from === address(port) && to === address(clientPort));
}

export async function isEstablished(port: number, clientPort: number): Promise<boolean> {
  return (await connectionOf(port, clientPort))?.[3] === '01';
}

/** Returns the number of bytes that have arrived but are unread. */
export async function waitingBytes(port: number, clientPort: number): Promise<number> {
  const queues = (await connectionOf(port, clientPort))?.[4] ?? '0:0';
  return Number.parseInt(queues.slice(queues.indexOf(':') + 1), 16);
}
