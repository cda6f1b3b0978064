import { libc } from './abi.ts';

const IPPROTO_TCP = 6;
/** Gives a struct tcp_info, whose first byte is the connection's state (tcp(7)). */
const TCP_INFO = 11;
const TCP_ESTABLISHED = 1;

const state = Buffer.alloc(1);
const size = Buffer.alloc(4);

/**
 * Whether a connection's peer has ended its side or broken the connection, by the kernel's word. Node
 * sees that only when it reads, and while a body waits for room it does not. False where it can't be
 * told, for what is no TCP connection.
 */
export function peerHasLeft(connection: object): boolean {
  const { fd = -1 } = (connection as { _handle?: { fd?: number } | null })._handle ?? {};
  if (fd < 0) return false;
  size.writeUInt32LE(state.length, 0);
  if (libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, size) !== 0) return false;
  return state[0] !== TCP_ESTABLISHED;
}
