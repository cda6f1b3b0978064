import type { components } from '../generated/openapi.ts';
import { GatewayError, type Problem, slugOf } from './gateway-error.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors-reader.ts';

type Schemas = components['schemas'];

/** An item that failed, which is no obstacle to the others. */
export interface ItemFailure {
  readonly key: string;
  /** What the request for this object alone would have been answered with. */
  readonly status: number;
  /** What the engine answered; null where it was not asked. */
  readonly code: number | null;
  /** `throw new GatewayError(item.problem)` makes of it what the single operation throws. */
  readonly problem: Problem;
}

/** What became of one item: `problem` tells whether it failed. */
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

/** Throws what the single operation would have thrown. */
export function requireDone<Item extends BatchItem<object>>(
  item: Item,
): Exclude<Item, ItemFailure> {
  if (item.problem !== undefined) throw new GatewayError(item.problem);
  return item as Exclude<Item, ItemFailure>;
}

/** The items of a JSON answer. Rejects with SyntaxError unless there is one for each key, in order. */
export async function readItems<Done extends { key: string }>(
  response: Response,
  keys: readonly string[],
): Promise<BatchItem<Done>[]> {
  const { items } = (await response.json()) as Answer<Done>;
  if (items.length !== keys.length || items.some(({ key }, index) => key !== keys[index])) {
    throw new SyntaxError(`the answer does not have an item for each of ${keys.length} keys`);
  }
  return items.map((item) => ('type' in item ? failureOf(item, response) : item));
}

/** The objects of a batch get as they come, each with its key; what failed is known before. */
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
 * What became of each key, in order, the objects as they arrive. Throws SyntaxError when one is
 * neither there nor among the failures, or something else is.
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

/** All of them, by key, each whole. */
export async function readObjects(
  response: Response,
  keys: readonly string[],
): Promise<Map<string, GetItem>> {
  const items = new Map<string, GetItem>();
  for await (const item of itemsOf(await openObjects(response), keys)) items.set(item.key, item);
  return items;
}

export const missing = (key: string): SyntaxError =>
  new SyntaxError(`the answer has no object '${key}' where it belongs`);

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
