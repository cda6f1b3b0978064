import { MMC_OK, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import { failure } from './store-session.ts';

/** The result of one item of a batch. A failed item does not affect the others. */
export type ItemResult<Done> =
  | (Readonly<Done> & { readonly ok: true })
  | { readonly ok: false; readonly error: Error };

/** What an engine call gave for one key: its code, or the error of a call that was not possible. */
export type Outcome = number | Error;

/** An engine call that was not possible fails its own items and those after it, which are not tried. */
export const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

export const errorOf = (outcome: Outcome, operation: string): Error =>
  typeof outcome === 'number' ? failure(outcome, operation) : outcome;

export const failed = (outcome: Outcome, operation: string): { ok: false; error: Error } => ({
  ok: false,
  error: errorOf(outcome, operation),
});

export const foundOr = <Done>(
  outcome: Outcome,
  operation: string,
  done: (found: boolean) => Done,
): ItemResult<Done> =>
  outcome === MMC_OK || outcome === MMC_UNMATCHED_KEY
    ? { ok: true, ...done(outcome === MMC_OK) }
    : failed(outcome, operation);

/** The result of work for one item; its error affects no other item. */
export async function settled<Done extends object>(
  work: () => Promise<Done>,
): Promise<ItemResult<Done>> {
  try {
    return { ok: true, ...(await work()) };
  } catch (error) {
    return { ok: false, error: asError(error) };
  }
}
