import { GatewayError, isMissing, kindOf } from '../gateway-error.ts';
import type { components } from '../generated/api.ts';
import { openSafetensors, type SafetensorsFile } from '../safetensors/reader.ts';

type Failure = components['schemas']['BatchFailure'];

interface FailedItem {
  readonly ok: false;
  readonly error: GatewayError;
}

/** The result of one item of a batch. A failed item does not affect the others. */
export type ItemResult<Done> = (Readonly<Done> & { readonly ok: true }) | FailedItem;

/** An item with its key, since items of a stream are not in the order of the request. */
export type KeyedResult<Done> = ItemResult<Done> & { readonly key: string };

/** A missing object has no value. */
export type GetResult = ItemResult<{ value: Uint8Array | undefined }>;

export const done = <Done extends object>(result: Done): ItemResult<Done> => ({
  ok: true,
  ...result,
});

/** The result of a failed item; `ifMissing` is the result of a missing object. */
export const failed = <Done extends object>(
  error: GatewayError,
  ifMissing?: Done,
): ItemResult<Done> =>
  ifMissing !== undefined && isMissing(error) ? done(ifMissing) : { ok: false, error };

/** Throws the error that the single operation would throw. */
export function requireDone<Done>(result: ItemResult<Done>): Readonly<Done> {
  if (!result.ok) throw result.error;
  return result;
}

/** The result of one request of its own. A failure that is no response, such as an abort, rejects. */
export async function settled<Done extends object>(
  work: () => Promise<Done>,
): Promise<ItemResult<Done>> {
  try {
    return done(await work());
  } catch (error) {
    if (error instanceof GatewayError) return failed(error);
    throw error;
  }
}

/** How the item of a successful operation becomes a result, and the result of a missing object. */
export interface Reading<Item, Done> {
  readonly of: (item: Item) => Done;
  readonly ifMissing?: Done;
}

/** The results in a JSON response. Rejects with SyntaxError unless there is one for each key, in order. */
export async function readResults<Item extends { key: string }, Done extends object>(
  response: Response,
  keys: readonly string[],
  { of, ifMissing }: Reading<Item, Done>,
): Promise<ItemResult<Done>[]> {
  const { items } = (await response.json()) as { readonly items: readonly (Item | Failure)[] };
  if (items.length !== keys.length || items.some(({ key }, index) => key !== keys[index])) {
    throw new SyntaxError(`the response does not have an item for each of ${keys.length} keys`);
  }
  return items.map((item) =>
    'type' in item ? failed(errorOfItem(item, response), ifMissing) : done(of(item)),
  );
}

/** The result for the only key of a batch. Throws its problem, so that the call is retried like a single one. */
export const readOnly =
  <Item extends { key: string }, Done extends object>(key: string, reading: Reading<Item, Done>) =>
  async (response: Response): Promise<Readonly<Done>> => {
    const [result] = await readResults(response, [key], reading);
    return requireDone(result as ItemResult<Done>);
  };

/** The objects of a batch get as they arrive, each with its key; failures are known before. */
export interface ObjectFile {
  readonly failures: ReadonlyMap<string, GatewayError>;
  readonly file: SafetensorsFile;
}

export async function openObjects(response: Response): Promise<ObjectFile> {
  const file = await openSafetensors(response.body);
  const failures = JSON.parse(file.metadata['failures'] ?? '[]') as Failure[];
  return {
    failures: new Map(failures.map((item) => [item.key, errorOfItem(item, response)])),
    file,
  };
}

const NO_VALUE = { value: undefined };

/**
 * The result of each key, in order, the objects as they arrive. Throws SyntaxError if the response has
 * neither object nor failure for a key, or has anything else.
 */
export async function* valuesIn(
  { failures, file }: ObjectFile,
  keys: readonly string[],
): AsyncGenerator<KeyedResult<{ value: Uint8Array | undefined }>, void, undefined> {
  try {
    let at = 0;
    for (const key of keys) {
      const error = failures.get(key);
      if (error !== undefined) {
        yield { key, ...failed(error, NO_VALUE) };
        continue;
      }
      if (file.tensors[at]?.name !== key) throw absent(key);
      at += 1;
      yield { key, ok: true, value: await file.next() };
    }
    await file.end();
  } finally {
    await file.cancel();
  }
}

/** All results by key, each complete. */
export async function readValues(
  response: Response,
  keys: readonly string[],
): Promise<Map<string, GetResult>> {
  const found = new Map<string, GetResult>();
  for await (const { key, ...result } of valuesIn(await openObjects(response), keys)) {
    found.set(key, result);
  }
  return found;
}

export const absent = (key: string): SyntaxError =>
  new SyntaxError(`the response does not have object '${key}' at its position`);

function errorOfItem(
  { type, status, detail, code, name, retryable }: Failure,
  { headers }: Response,
): GatewayError {
  return new GatewayError({
    problem: kindOf(type, status),
    status,
    detail,
    code: name,
    errno: code ?? undefined,
    retryable,
    requestId: headers.get('x-request-id') ?? undefined,
    type,
  });
}
