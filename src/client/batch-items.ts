import type { components } from '../generated/openapi.ts';
import { GatewayError, type Problem, slugOf } from './gateway-error.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors-reader.ts';

type Schemas = components['schemas'];

/** A failed item; it does not affect the others. */
export interface ItemFailure {
  readonly key: string;
  /** The status that a request for this object alone would have. */
  readonly status: number;
  /** The result code of the engine; null if there was no engine call. */
  readonly code: number | null;
  /** `throw new GatewayError(item.problem)` throws the error of the single operation. */
  readonly problem: Problem;
}

/** The result of one item; it has failed if it has a `problem`. */
export type BatchItem<Done> = (Readonly<Done> & { readonly problem?: undefined }) | ItemFailure;

export type PutItem = BatchItem<Schemas['BatchPutItem']>;
export type GetItem = BatchItem<
  Omit<Schemas['BatchGetItem'], 'value'> & { readonly value: Uint8Array }
>;
export type ExistsItem = BatchItem<Schemas['BatchExistsItem']>;
export type InfoItem = BatchItem<Schemas['BatchInfoItem']>;
export type RemoveItem = BatchItem<Schemas['BatchRemoveItem']>;

interface Answer<Item> {
  readonly items: readonly (Item | Schemas['BatchFailure'])[];
}

/** Throws the error that the single operation would throw. */
export function requireDone<Item extends BatchItem<object>>(
  item: Item,
): Exclude<Item, ItemFailure> {
  if (item.problem !== undefined) throw new GatewayError(item.problem);
  return item as Exclude<Item, ItemFailure>;
}

/** The items of a JSON response. Rejects with SyntaxError unless there is one for each key, in order. */
export async function readItems<Done extends { key: string }>(
  response: Response,
  keys: readonly string[],
): Promise<BatchItem<Done>[]> {
  const { items } = (await response.json()) as Answer<Done>;
  if (items.length !== keys.length || items.some(({ key }, index) => key !== keys[index])) {
    throw new SyntaxError(`the response does not have an item for each of ${keys.length} keys`);
  }
  return items.map((item) => ('type' in item ? failureOf(item, response) : item));
}

/** The objects of a batch get as they arrive, each with its key; failures are known before. */
export interface ObjectFile {
  readonly failures: ReadonlyMap<string, ItemFailure>;
  readonly file: SafetensorsFile;
}

export async function openObjects(response: Response): Promise<ObjectFile> {
  const file = await openSafetensors(response.body);
  const failures = JSON.parse(file.metadata['failures'] ?? '[]') as Schemas['BatchFailure'][];
  return {
    failures: new Map(failures.map((item) => [item.key, failureOf(item, response)])),
    file,
  };
}

/**
 * The result of each key, in order, the objects as they arrive. Throws SyntaxError if the response has
 * neither object nor failure for a key, or has anything else.
 */
export async function* itemsOf(
  { failures, file }: ObjectFile,
  keys: readonly string[],
): AsyncGenerator<GetItem, void, undefined> {
  try {
    let at = 0;
    for (const key of keys) {
      const failure = failures.get(key);
      if (failure === undefined && file.tensors[at]?.name !== key) {
        throw missing(key);
      }
      if (failure !== undefined) yield failure;
      else yield gotItem(key, await file.next());
      if (failure === undefined) at += 1;
    }
    await file.end();
  } finally {
    await file.cancel();
  }
}

/** All results by key, each complete. */
export async function readObjects(
  response: Response,
  keys: readonly string[],
): Promise<Map<string, GetItem>> {
  const items = new Map<string, GetItem>();
  for await (const item of itemsOf(await openObjects(response), keys)) items.set(item.key, item);
  return items;
}

export const missing = (key: string): SyntaxError =>
  new SyntaxError(`the response does not have object '${key}' at its position`);

export const gotItem = (key: string, value: Uint8Array): GetItem => ({
  key,
  status: 200,
  code: 0,
  size: value.length,
  value,
});

export const failedItem = (key: string, problem: Problem): ItemFailure => ({
  key,
  status: problem.status,
  code: problem.code ?? null,
  problem,
});

function failureOf(
  { key, type, status, detail, code, name, retryable }: Schemas['BatchFailure'],
  { headers }: Response,
): ItemFailure {
  return failedItem(key, {
    slug: slugOf(type, status),
    status,
    detail,
    code: code ?? undefined,
    name,
    retryable,
    retryAfterMs: undefined,
    requestId: headers.get('x-request-id') ?? undefined,
  });
}
