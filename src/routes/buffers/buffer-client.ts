import { isLoopback } from '../../engine-config/host-text.ts';
import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { RegionClient, RegionOwner } from '../../messages/regions.ts';
import { peerOf } from '../../os/peer-credentials.ts';
import type { Buffers } from '../../store/buffers/buffers.ts';

/** The client of a request, and the part of the gateway that serves it. */
export interface BufferClient {
  readonly buffers: Buffers;
  readonly by: RegionClient;
  readonly owner: RegionOwner;
}

/** @throws ProblemError `buffers-disabled` for a client that may not use shared buffers */
export function bufferClientOf({ gateway, grant, req }: Exchange): BufferClient {
  const { buffers } = gateway;
  if (buffers === undefined) throw disabled(OFF);
  const { socket } = req;
  const token = grant.id ?? null;
  const isAdmin = grant.scopes.includes('admin');
  const peer = peerOf(socket);
  if (peer !== undefined) {
    const { uid, pid, startTicks } = peer;
    return { buffers, by: { uid, token, isAdmin }, owner: { uid, token, pid, startTicks } };
  }
  const { localAddress, remoteAddress } = socket;
  if (localAddress === undefined || remoteAddress === undefined) {
    throw disabled('The gateway could not find out the user of this connection.');
  }
  if (buffers.serves !== 'loopback' || !isLoopback(localAddress) || !isLoopback(remoteAddress)) {
    throw disabled(
      'They need a connection to a Unix socket (--listen unix:PATH), or to a loopback address with --shared-buffers loopback.',
    );
  }
  return {
    buffers,
    by: { uid: null, token, isAdmin },
    owner: { uid: null, token, pid: null, startTicks: null },
  };
}

const disabled = (detail: string): ProblemError => new ProblemError('buffers-disabled', { detail });

const OFF =
  'They are off (--shared-buffers), or the worker could not set them up, as its log then says.';
