import { Socket } from 'node:net';
import { lastErrno, libc } from './abi.ts';

const AF_UNIX = 1;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, as on every Linux that we run on. */
const STREAM = 0x1 | 0x800 | 0x80000;

/** Two sockets that are each other's peers, without a name by which anybody else could reach them. */
export function socketPair(): [Socket, Socket] {
  const descriptors = new Int32Array(2);
  if (libc().socketpair(AF_UNIX, STREAM, 0, descriptors) !== 0) {
    throw new Error(`cannot make a pair of sockets: errno ${lastErrno()}`);
  }
  const [left, right] = descriptors as unknown as [number, number];
  return [new Socket({ fd: left }), new Socket({ fd: right })];
}
