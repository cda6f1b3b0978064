/** Of the client's call slots, how many calls of a kind may be under way at a time. */
export interface CallShares {
  /** Each kind of single operation, where operations share calls. */
  readonly small: number;
  /** Each kind of call that copies much: gets and puts of large objects, and those of batches. */
  readonly large: number;
  /** Batches that only ask. */
  readonly asking: number;
}

/** Get, put, query, exist and remove. */
const SMALL_KINDS = 5;
/** Large gets, large puts, and what batches move. */
const LARGE_KINDS = 3;

/**
 * What may take long leaves a slot for each kind of small operation; with fewer than nine slots it
 * leaves what it can, with fewer than five perhaps none. Small operations may use the others, too,
 * while nothing large does.
 */
export function callShares(slots: number): CallShares {
  const small = Math.max(1, Math.floor(slots / 8));
  const asking = small;
  const left = slots - SMALL_KINDS - asking;
  return { small, asking, large: Math.max(1, Math.floor(left / LARGE_KINDS)) };
}
