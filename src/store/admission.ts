import { ProblemError } from '../errors/problems.ts';

/** Size of the pool in bytes. An object lies within one segment; its replicas lie in different segments. */
export interface PoolBytes {
  /** The contribution of one client. */
  readonly segment: number;
  /** The contributions of all clients. */
  readonly total: number;
}

export interface AdmissionLimits {
  readonly maxObjectBytes: number;
  /** Undefined where the size of the pool is not known. */
  readonly poolBytes: PoolBytes | undefined;
}

/** Why a value of `bytes` bytes in `replicas` copies can never be stored; undefined when it can. */
export function refusalOf(
  bytes: number,
  replicas: number,
  { maxObjectBytes, poolBytes }: AdmissionLimits,
): ProblemError | undefined {
  if (bytes === 0) return new ProblemError('empty-object');
  if (bytes > maxObjectBytes) {
    return new ProblemError('object-too-large', {
      detail: `The object has ${bytes} bytes; at most ${maxObjectBytes} are accepted (--max-object-bytes).`,
      members: { limitBytes: maxObjectBytes },
    });
  }
  const excess = poolBytes && excessOf(bytes, replicas, poolBytes);
  if (excess === undefined) return undefined;
  const { detail, limitBytes } = excess;
  return new ProblemError('pool-too-small', { detail, members: { limitBytes } });
}

/** The limit of the pool that the value exceeds; undefined when the value fits an empty pool. */
export function excessOf(
  bytes: number,
  replicas: number,
  { segment, total }: PoolBytes,
): { detail: string; limitBytes: number } | undefined {
  if (bytes > segment) {
    const detail = `${bytes} bytes do not fit the ${segment} bytes that a device contributes to the pool (--pool-bytes).`;
    return { detail, limitBytes: segment };
  }
  if (bytes * replicas <= total) return undefined;
  const detail = `${bytes} bytes in ${replicas} replicas do not fit a pool of ${total} bytes (--pool-bytes, for each of --devices).`;
  return { detail, limitBytes: total };
}
