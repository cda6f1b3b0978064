import { ProblemError } from '../errors.ts';

export interface AdmissionLimits {
  readonly maxObjectBytes: number;
  /** Of the whole pool, where it is known. */
  readonly poolBytes: number | undefined;
}

/** Why a value of so many bytes, in so many copies, can never be stored; undefined when it can. */
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
  if (poolBytes === undefined || bytes * replicas <= poolBytes) return undefined;
  return new ProblemError('pool-too-small', {
    detail: `${bytes} bytes in ${replicas} replicas do not fit a pool of ${poolBytes} bytes (--pool-bytes).`,
    members: { limitBytes: poolBytes },
  });
}
