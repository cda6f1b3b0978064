/** How many of the call slots each class of engine calls may use. */
export interface Quotas {
  /** Each kind of operation on one small object. */
  readonly small: number;
  /** The most calls of one of these kinds, when it has proved to be faster with more than its quota. */
  readonly smallMost: number;
  /** Each of: gets of large objects, puts of large objects, batches that move values. */
  readonly large: number;
  /** Batches that read or remove keys and move no values. */
  readonly asking: number;
}

/** Get, put, query, exist and remove. */
const SMALL_KINDS = 5;
/** Large gets, large puts, and batches that move values. */
const LARGE_KINDS = 3;
/** Batches that move no values. */
const ASKING_KINDS = 1;

/** With fewer slots, both kinds of batches share a queue, so that they cannot use all slots. */
export const SLOTS_FOR_BOTH = 3;

/**
 * The quotas for a number of call slots, 1 or more. Calls that may take long leave one slot for each kind
 * of small operation. With fewer than nine slots they leave all but one each; with fewer than five they
 * may leave none. Small operations may use all slots that large ones do not use, and one kind of them may
 * use more than its quota, as long as a slot is left for each queue without a call.
 */
export function quotasOf(slots: number): Quotas {
  const small = Math.max(1, Math.floor(slots / 8));
  const asking = small;
  const left = slots - SMALL_KINDS - asking;
  const others = SMALL_KINDS - 1 + LARGE_KINDS + ASKING_KINDS;
  return {
    small,
    smallMost: Math.max(small, slots - others),
    asking,
    large: Math.max(1, Math.floor(left / LARGE_KINDS)),
  };
}
