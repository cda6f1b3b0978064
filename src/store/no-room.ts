import { ProblemError } from '../errors/problems.ts';
import type { PoolRoom } from './pool/pool-room.ts';

/**
 * The problem of a put of `neededBytes` bytes, replicas included, with what is known of the pool. Only a
 * `no-room` is changed: it is retryable only if an eviction can start, and its detail has advice. An
 * object larger than the pool gets `pool-too-small`. The figures are read for a `no-room` only: they cost a call of
 * the engine or of the meta service, and most refused puts are of objects that exist.
 */
export function explainNoRoom(
  problem: ProblemError,
  neededBytes: number,
  roomOfPool: () => PoolRoom | undefined,
): ProblemError {
  const { slug, options } = problem;
  const room = slug === 'no-room' ? roomOfPool() : undefined;
  if (room === undefined) return problem;
  const { freeBytes, capacityBytes, evicts } = room;
  if (neededBytes > capacityBytes) {
    const detail = `The object and its replicas have ${neededBytes} bytes, and the whole pool has ${capacityBytes}. Add memory to the pool, or store smaller objects.`;
    return new ProblemError('pool-too-small', {
      ...withoutRoom(problem),
      detail,
      members: { limitBytes: capacityBytes },
    });
  }
  if (options.members?.['neededBytes'] === neededBytes) return problem;
  return new ProblemError('no-room', {
    ...withoutRoom(problem),
    detail: [...ownDetail(problem), figures(neededBytes, room), advice(neededBytes, room)].join(
      ' ',
    ),
    retryable: evicts,
    members: { neededBytes, freeBytes, capacityBytes },
  });
}

/** That of the cause. A detail with figures is that of another put, whose problem this one shares. */
const ownDetail = ({ options: { detail, members } }: ProblemError): string[] =>
  detail === undefined || members !== undefined ? [] : [detail];

const figures = (neededBytes: number, { freeBytes, capacityBytes }: PoolRoom): string =>
  `The put needs ${neededBytes} bytes, and ${freeBytes} of ${capacityBytes} bytes of the pool are free.`;

function advice(neededBytes: number, { freeBytes, evicts }: PoolRoom): string {
  if (evicts) return 'The engine can evict objects that are not in use, so try again.';
  const why = 'The engine evicts nothing at this use of the pool, so the same put fails again.';
  if (neededBytes <= freeBytes) {
    return `The free bytes are not in one piece on the services that the put may use. ${why} Remove objects, store smaller ones, or add memory to the pool.`;
  }
  return `${why} Remove objects, store objects that fit the free bytes, or add memory to the pool.`;
}

/** The code and its name; what a problem says of the room may be that of another object. */
function withoutRoom({ options }: ProblemError): Pick<typeof options, 'code' | 'name' | 'cause'> {
  const { code, name, cause } = options;
  return {
    ...(code === undefined ? {} : { code }),
    ...(name === undefined ? {} : { name }),
    ...(cause === undefined ? {} : { cause }),
  };
}
