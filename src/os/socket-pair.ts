import { Socket } from 'node:net';
import { lastErrno, libc } from './libc.ts';

const AF_UNIX = 1;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, the same on every supported Linux. */
const STREAM = 0x1 | 0x800 | 0x80000;

/** Two connected sockets without a name, so that no other process can reach them. */
export function socketPair(): [Socket, Socket] {
  const descriptors = new Int32Array(2);
  if (libc().socketpair(AF_UNIX, STREAM, 0, descriptors) !== 0) {
    throw new Error(`cannot make a pair of sockets: errno ${lastErrno()}`);
  }
  const [left, right] = descriptors as unknown as [number, number];
  return [new Socket({ fd: left }), new Socket({ fd: right })];
}
