/** How the items of JSON responses become results. */
import type { components } from '../generated/api.ts';
import type { ObjectInfo, PutOutcome } from '../objects.ts';
import type { Reading } from './results.ts';

type Schemas = components['schemas'];

export const outcomes: Reading<Schemas['BatchPutItem'], { outcome: PutOutcome }> = {
  of: ({ outcome }) => ({ outcome }),
};
export const presence: Reading<Schemas['BatchExistsItem'], { exists: boolean }> = {
  of: ({ exists }) => ({ exists }),
};
export const deletions: Reading<Schemas['BatchRemoveItem'], { deleted: boolean }> = {
  of: () => ({ deleted: true }),
  ifMissing: { deleted: false },
};
export const infos: Reading<Schemas['BatchInfoItem'], { info: ObjectInfo | undefined }> = {
  of: ({ size, replicas }) => ({ info: { size, replicas } }),
  ifMissing: { info: undefined },
};

/** Rejects with SyntaxError for a response without the number, as from a gateway that does not know `until`. */
export async function readLeading(response: Response, of: number): Promise<number> {
  const answer = (await response.json()) as Partial<Schemas['LeadingKeys']>;
  if (!Number.isInteger(answer.leading) || answer.of !== of) {
    throw new SyntaxError(`the response does not have the number of leading keys of ${of}`);
  }
  return answer.leading as number;
}
