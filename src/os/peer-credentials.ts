import { closeSync, readFileSync } from 'node:fs';
import { descriptorOf } from '../node-internals/socket-descriptor.ts';
import { libc } from './libc.ts';
import { processStart } from './process-start.ts';

/** Options of SOL_SOCKET, the same on the supported processors. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_DOMAIN = 39;
/** Since Linux 6.5. */
const SO_PEERPIDFD = 77;
const AF_UNIX = 1;

/** The process that has opened a connection to a Unix socket. */
export interface Peer {
  readonly uid: number;
  /** Null for a process of another PID namespace, and for one that has ended. */
  readonly pid: number | null;
  /** As `processStart`; null without a process. */
  readonly startTicks: string | null;
}

const peers = new WeakMap<object, Peer>();

/**
 * Undefined for any connection but one of a Unix socket, and where its descriptor is not known. The kernel
 * names the process that has connected, so later requests on the connection have the same one, also when that
 * process has ended.
 */
export function peerOf(socket: object): Peer | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const peer = readPeer(socket);
  if (peer !== undefined) peers.set(socket, peer);
  return peer;
}

function readPeer(socket: object): Peer | undefined {
  const descriptor = descriptorOf(socket);
  if (descriptor < 0 || option(descriptor, SO_DOMAIN, 4)?.readInt32LE() !== AF_UNIX)
    return undefined;
  const credentials = option(descriptor, SO_PEERCRED, 12);
  if (credentials === undefined) return undefined;
  const uid = credentials.readUInt32LE(4);
  const pid = credentials.readInt32LE(0);
  const startTicks = pid > 0 ? processStart(pid) : undefined;
  // The number may belong to another process by now: the kernel knows whether the first one still runs.
  if (startTicks === undefined || !stillRuns(descriptor, pid))
    return { uid, pid: null, startTicks: null };
  return { uid, pid, startTicks };
}

/** Whether the peer still has this number; true where the kernel cannot say. */
function stillRuns(descriptor: number, pid: number): boolean {
  const handle = option(descriptor, SO_PEERPIDFD, 4)?.readInt32LE();
  if (handle === undefined) return true;
  try {
    const text = readFileSync(`/proc/self/fdinfo/${handle}`, 'latin1');
    return new RegExp(`^Pid:\\s+${pid}$`, 'm').test(text);
  } finally {
    closeSync(handle);
  }
}

function option(descriptor: number, name: number, bytes: number): Buffer | undefined {
  const value = Buffer.alloc(bytes);
  const length = Uint32Array.of(bytes);
  const code = libc().getsockopt(descriptor, SOL_SOCKET, name, value, length);
  return code === 0 && length[0] === bytes ? value : undefined;
}
