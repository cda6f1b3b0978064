/**
 * Checks of the arguments of a client, before any request. Every fault is a TypeError that names the
 * argument: fetch would send `[object Object]` for an object, and the gateway would not see an option
 * that is misspelt.
 */
const MAX_KEY_BYTES = 255;
const encoder = new TextEncoder();
/** The first half of a surrogate pair without the second, or the second without the first. */
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export function checkKey(key: unknown, name = 'key'): void {
  if (typeof key !== 'string') refuse(name, `must be a string, not ${kindOf(key)}`);
  if (key === '' || encoder.encode(key).length > MAX_KEY_BYTES || LONE_SURROGATE.test(key)) {
    refuse(name, 'must have 1 to 255 bytes of UTF-8 and no half of a surrogate pair');
  }
}

export function checkKeys(keys: unknown): void {
  if (!Array.isArray(keys)) refuse('keys', `must be an array, not ${kindOf(keys)}`);
  for (const [at, key] of keys.entries()) checkKey(key, `keys[${at}]`);
}

const SIZED_TAGS = ['ArrayBuffer', 'Blob', 'File'];

/** The kind of a built-in object, also of one from another realm, such as the context of a test runner. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** A value whose length is known, or a stream where `mayStream`. */
export function checkValue(value: unknown, name: string, { mayStream = false } = {}): void {
  const isSized =
    typeof value === 'string' || ArrayBuffer.isView(value) || SIZED_TAGS.includes(tagOf(value));
  if (isSized || (mayStream && tagOf(value) === 'ReadableStream')) return;
  const forms = `a Uint8Array, an ArrayBuffer, a Blob${mayStream ? ', a ReadableStream' : ''} or a string`;
  refuse(name, `must be ${forms}, not ${kindOf(value)}`);
}

export function checkLayers(layers: unknown): void {
  if (!Array.isArray(layers)) refuse('layers', `must be an array, not ${kindOf(layers)}`);
  for (const [at, layer] of layers.entries()) checkValue(layer, `layers[${at}]`);
}

/** Pairs of key and value. Returns them as an array, since an iterator can be read only once. */
export function checkedEntries<Value>(
  given: Iterable<readonly [string, Value]>,
): (readonly [string, Value])[] {
  const unchecked: unknown = given;
  if (typeof unchecked !== 'object' || unchecked === null || !(Symbol.iterator in unchecked)) {
    refuse('entries', `must be an iterable of [key, value], not ${kindOf(unchecked)}`);
  }
  const entries = [...given];
  for (const [at, entry] of (entries as unknown[]).entries()) {
    if (!Array.isArray(entry) || entry.length !== 2) {
      refuse(`entries[${at}]`, `must be an array of key and value, not ${kindOf(entry)}`);
    }
    checkKey(entry[0], `entries[${at}][0]`);
    checkValue(entry[1], `entries[${at}][1]`);
  }
  return entries;
}

const clientOptions = ['baseUrl', 'token', 'headers', 'retries', 'retryDelayMs', 'fetch'];

export function checkClientOptions(options: unknown): void {
  checkOptions(options ?? null, clientOptions);
  const { baseUrl } = options as { baseUrl?: unknown };
  if (typeof baseUrl !== 'string') {
    refuse('options.baseUrl', `must be a string, not ${kindOf(baseUrl)}`);
  }
  const { token, retries, retryDelayMs } = options as Record<string, unknown>;
  if (token !== undefined && typeof token !== 'function') checkToken(token, 'options.token');
  checkNumber(retries, 'options.retries', 100);
  checkNumber(retryDelayMs, 'options.retryDelayMs', 3_600_000);
}

/** A bearer token (RFC 6750 §2.1). fetch would put one with a line end into the text of its error. */
export function checkToken(token: unknown, name: string): asserts token is string {
  if (typeof token !== 'string') refuse(name, `must be a string, not ${kindOf(token)}`);
  if (!/^[\w.~+/-]+=*$/.test(token)) {
    refuse(name, 'must be a token without other characters, such as a line end at its end');
  }
}

/** A whole number from 0 to `most`, or undefined. */
function checkNumber(value: unknown, name: string, most: number): void {
  if (
    value === undefined ||
    (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most)
  ) {
    return;
  }
  refuse(
    name,
    `must be a whole number from 0 to ${most}, not ${typeof value === 'number' ? value : kindOf(value)}`,
  );
}

export function checkOptions(options: unknown, known: readonly string[], what = 'options'): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    refuse(what, `must be an object, not ${kindOf(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      refuse(
        `${what}.${name}`,
        `is unknown; the ${what === 'options' ? 'options' : 'members'} are ${known.join(', ')}`,
      );
    }
  }
}

/** The kind of a value in words, never its content. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  // An object without a prototype has no constructor.
  const { name = '' } = (value.constructor as { name?: string } | undefined) ?? {};
  return name === '' || name === 'Object' ? 'an object' : `an instance of ${name}`;
}

export function refuse(name: string, fault: string): never {
  throw new TypeError(`${name} ${fault}`);
}
