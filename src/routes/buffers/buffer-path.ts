import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { invalidParameter } from '../../http/request/query.ts';
import { parseTarget } from '../../http/request/target.ts';
import { mayUse } from '../../messages/regions.ts';
import type { MappedBuffer } from '../../store/buffers/mapped-buffers.ts';
import type { BufferClient } from './buffer-client.ts';
import { problemOfReply } from './buffer-reply.ts';

const PREFIX = '/v1/buffers/';
/** No dot first: URL libraries resolve dot segments. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;

/** The name in the path of a request, before `suffix`. @throws ProblemError `invalid-parameter` */
export function bufferNameOf({ req }: Exchange, suffix = ''): string {
  const { path } = parseTarget(req.url ?? '/');
  const name = path.slice(PREFIX.length, path.length - suffix.length);
  if (NAME.test(name)) return name;
  throw invalidParameter(
    "The name of a buffer has 1 to 128 letters, digits, '.', '_' and '-', not first a '.', without percent-encoding.",
  );
}

/**
 * The buffer that a transfer uses. @throws ProblemError `buffer-not-found`, `buffer-not-permitted`,
 * `buffer-draining`, `buffer-broken`, `buffer-unavailable`
 */
export async function findBuffer(
  { buffers, by }: BufferClient,
  name: string,
): Promise<MappedBuffer> {
  let buffer = buffers.shared.find(name);
  if (buffer === undefined) {
    const reason = await whyNotHere(buffers, by, name);
    // Another client may have registered it in the meantime.
    buffer = buffers.shared.find(name);
    if (buffer === undefined) throw reason;
  }
  if (!mayUse(buffer.spec.owner, by)) throw new ProblemError('buffer-not-permitted');
  if (buffer.state === 'draining') throw new ProblemError('buffer-draining');
  if (buffer.isBroken()) throw new ProblemError('buffer-broken');
  return buffer;
}

/** This worker has no memory of that name. The supervisor knows what became of it. */
async function whyNotHere(
  buffers: BufferClient['buffers'],
  by: BufferClient['by'],
  name: string,
): Promise<ProblemError> {
  const reply = await buffers.ask({ ask: 'find', name, by });
  if (reply === undefined || 'problem' in reply) return problemOfReply(reply);
  const region = reply.regions[0];
  if (region?.state === 'broken') return new ProblemError('buffer-broken');
  if (region?.state === 'draining') return new ProblemError('buffer-draining');
  // Its client has no response yet.
  if (region?.state === 'registering') return new ProblemError('buffer-not-found');
  const detail = region?.workers.find(({ state }) => state === 'failed')?.detail;
  return new ProblemError('buffer-unavailable', detail === undefined ? {} : { detail });
}
