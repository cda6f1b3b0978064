import type { Socket } from 'node:net';
import { describeDescriptor, lookUpDescriptor } from './descriptor-lookup.ts';
import { isEncrypted, nodeFeature } from './node-features.ts';

const feature = nodeFeature('socket-descriptor');

/** The part of the handle below a socket that names its file descriptor. */
interface DescriptorHolder {
  _handle?: { readonly fd?: number } | null;
}

/**
 * The file descriptor of a socket, or −1 where it is unknown: the socket is closed, or it is not a
 * socket, or a Unix socket and the feature is off. Callers then learn from the socket's events that
 * the peer has disconnected.
 */
export function descriptorOf(socket: object): number {
  return feature.enabled && !isEncrypted(socket) ? read(socket) : lookUpDescriptor(socket);
}

/**
 * The descriptor of a socket whose bytes go to the kernel as they are written, or −1: bytes written to
 * the descriptor of a TLS connection would not be encrypted.
 */
export function plainDescriptorOf(socket: Socket): number {
  return feature.enabled && !isEncrypted(socket) && socket.writable ? read(socket) : -1;
}

const read = (socket: object): number => (socket as DescriptorHolder)._handle?.fd ?? -1;

/** @throws unless two sockets have descriptors of different sockets, and a closed one has none. */
export function probeSocketDescriptor(socketPair: () => readonly [Socket, Socket]): void {
  const pair = socketPair();
  try {
    const [left, right] = pair.map((socket) => describeDescriptor(read(socket)));
    if (left?.isSocket() !== true || right?.isSocket() !== true) {
      throw new Error('the descriptor is not that of a socket');
    }
    if (left.ino === right.ino) throw new Error('two sockets have the same descriptor');
  } finally {
    for (const socket of pair) socket.destroy();
  }
  if (pair.some((socket) => read(socket) >= 0)) throw new Error('a closed socket has a descriptor');
}
