import { type BigIntStats, fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';

const found = new WeakMap<object, number>();

/**
 * Finds the file descriptor of a TCP socket in proc(5): /proc/self/net has the inode for its two
 * ports, /proc/self/fd the descriptor for its inode. Costs a system call for each open descriptor,
 * once for a socket. −1 where it is not found, as for Unix sockets.
 */
export function lookUpDescriptor(socket: object): number {
  const { destroyed, localPort, remotePort } = socket as Partial<Socket>;
  if (destroyed !== false || localPort === undefined || remotePort === undefined) return -1;
  const known = found.get(socket);
  if (known !== undefined) return known;
  const descriptor = descriptorOfPorts(localPort, remotePort);
  if (descriptor >= 0) found.set(socket, descriptor);
  return descriptor;
}

function descriptorOfPorts(localPort: number, remotePort: number): number {
  try {
    const [inode, another] = [...inodesIn('tcp'), ...inodesIn('tcp6')];
    // Peers of several addresses may use the same port.
    if (inode === undefined || another !== undefined) return -1;
    return Number(readdirSync('/proc/self/fd').find((name) => leadsTo(name, inode)) ?? -1);
  } catch {
    return -1;
  }

  function inodesIn(table: string): string[] {
    const rows = readFileSync(`/proc/self/net/${table}`, 'latin1').split('\n').slice(1);
    return rows
      .map((row) => row.trim().split(/\s+/))
      .filter(([, local, remote]) => portOf(local) === localPort && portOf(remote) === remotePort)
      .flatMap((columns) => columns[9] ?? []);
  }
}

const portOf = (address = ''): number => Number.parseInt(address.split(':')[1] ?? '', 16);

function leadsTo(name: string, inode: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${name}`) === `socket:[${inode}]`;
  } catch {
    // The descriptor that lists the directory is closed by now.
    return false;
  }
}

/**
 * What kind of file an open descriptor is.
 *
 * It asks for bigints because Node (seen in 20.20) keeps the result of the last plain `fstatSync`, and takes
 * the next package that is found through a symbolic link for a socket if that result was one. Node then
 * does not follow the link, so the package does not find its own dependencies.
 */
export const describeDescriptor = (descriptor: number): BigIntStats =>
  fstatSync(descriptor, { bigint: true });
