/** The part of the handle below a socket that names its file descriptor. */
interface DescriptorHolder {
  _handle?: { readonly fd?: number } | null;
}

/** The file descriptor of a socket, or −1 where there is none: the socket is closed, or no socket. */
export function descriptorOf(socket: object): number {
  return (socket as DescriptorHolder)._handle?.fd ?? -1;
}
